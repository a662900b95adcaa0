"""PyPI's Playwright: its command finds the browsers that a bundle has, without a network.

The package is the real one, and the archives of its browsers are stand-ins: see `test_downloads`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import Machine, client, copy_project, extract, pack
from tests.real.test_downloads import Internet, program
from tests.real.test_lockers import TRUSTED, UV
from tests.real.test_pip import environment, target_of
from tests.real.ways import online
from tests.world import World
from tests.world.files import zip_of

pytestmark = [pytest.mark.real, pytest.mark.network]

LOCKED = "playwright==1.65.2\ngreenlet==3.5.6\n"
CDN = "https://cdn.playwright.dev"
CHROME = f"{CDN}/builds/cft/159.0.8154.6/linux64"
ARCHIVES = {
    f"{CHROME}/chrome-linux64.zip": zip_of({"chrome-linux64/chrome": program("chrome")}),
    f"{CHROME}/chrome-headless-shell-linux64.zip": zip_of(
        {"chrome-headless-shell-linux64/chrome-headless-shell": program("shell")}
    ),
    f"{CDN}/dbazure/download/playwright/builds/ffmpeg/1013/ffmpeg-linux.zip": zip_of(
        {"ffmpeg-linux": program("ffmpeg")}
    ),
}
"""What this Playwright's `install chromium` downloads."""
WHERE = """\
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""


def test_playwright(real_cli: Cli, world: World, tmp_path: Path) -> None:
    """`vendorpack extras` reads the addresses in its wheel; its Firefox has none."""
    pip = client("pip-26") / "bin/pip"
    project = tmp_path / "project"
    project.mkdir()
    (project / "requirements.in").write_text(LOCKED)
    uv = client("uv-0.13") / "bin/uv"
    compile_ = (uv, "pip", "compile", "--generate-hashes", "-q", "requirements.in")
    online((*compile_, "-o", "requirements.txt"), project, Machine(tmp_path).env(UV | TRUSTED))
    internet = Internet.of(world, ARCHIVES, tmp_path)
    cli = replace(real_cli, environ=internet.environ)
    options = (project, "--target", target_of(pip))
    said = cli.ok("extras", "--write", *options).err
    assert "3 files added" in said and "fetches firefox-ubuntu-22.04.zip or " in said, said
    pack(cli, *options, "-o", tmp_path / "deps.tar.zst")
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    there = Machine(tmp_path / "target")
    app = copy_project(project, there.folder / "project")
    python = environment(there, pip)

    def run(*command: str | Path) -> str:
        return there.offline(*command, cwd=app, prefix=prefix)

    run(pip, "--python", python, "install", "-r", "requirements.txt")
    run(python, "-m", "playwright", "install", "chromium")
    path = run(python, "-c", WHERE).strip()
    assert path == str(prefix / "extras/playwright/chromium-1255/chrome-linux64/chrome")
    assert run(path) == "chrome of the bundle\n"
    shell = "chromium_headless_shell-1255/chrome-headless-shell-linux64/chrome-headless-shell"
    assert run(prefix / "extras/playwright" / shell) == "shell of the bundle\n"
