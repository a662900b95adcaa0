"""The browsers of Playwright's newest packages, npm's and PyPI's, whichever lockfile pins them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.world import World
from tests.world.distributions import sha256, wheel
from tests.world.files import Files, artifacts_lock, zip_of
from tests.world.npm import NpmRegistry
from tests.world.pypi import PypiIndex

WHEEL = "playwright-1.0.0-py3-none-any.whl"
BROWSERS = [
    {"name": "chromium", "revision": "12", "installByDefault": True, "browserVersion": "9.8.7"},
    {"name": "ffmpeg", "revision": "3", "installByDefault": True},
    {"name": "webkit", "revision": "4", "installByDefault": True},
]
CODE = """
function cftUrl(suffix) {
  return ({ browserVersion }) => {
    return {
      path: `builds/cft/${browserVersion}/${suffix}`,
      mirrors: [
        "<HERE>"
      ]
    };
  };
}
    PLAYWRIGHT_CDN_MIRRORS = [
      "<HERE>/old",
      // another
    ];
    EXECUTABLE_PATHS = {
      "chromium": { "linux-x64": ["chrome-linux64", "chrome"] }
    };
    DOWNLOAD_PATHS = {
      "chromium": {
        "<unknown>": void 0,
        "ubuntu24.04-x64": cftUrl("linux64/chrome-linux64.zip"),
        "ubuntu24.04-arm64": cftUrl("linux-arm64/chrome-linux-arm64.zip"),
        "debian13-x64": cftUrl("linux64/chrome-linux64.zip"),
        "mac15": cftUrl("mac-x64/chrome-mac-x64.zip")
      },
      "ffmpeg": {
        "debian13-x64": "builds/ffmpeg/%s/ffmpeg-linux.zip"
      },
      "webkit": {
        "ubuntu24.04-x64": "builds/webkit/%s/webkit-ubuntu-24.04.zip",
        "debian13-x64": "builds/webkit/%s/webkit-debian-13.zip"
      }
    };
"""
CHROME = "builds/cft/9.8.7/linux64/chrome-linux64.zip"
FFMPEG = "old/builds/ffmpeg/3/ffmpeg-linux.zip"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as running:
        yield running


def npm(world: World, files: Mapping[str, bytes], folder: Path) -> str:
    registry = world.site(tls=True).mount("", NpmRegistry())
    registry.publish("playwright-core", "1.0.0", files)
    registry.lock(folder, {"playwright-core": "1.0.0"})
    return registry.origin


def published(world: World, files: Mapping[str, bytes]) -> tuple[PypiIndex, str]:
    """An index with the wheel, and the wheel's hash."""
    inside = {f"playwright/driver/package/{name}": data for name, data in files.items()}
    index = world.site(tls=True).mount("", PypiIndex())
    return index, sha256(index.publish(WHEEL, wheel("playwright", "1.0.0", inside)))


def pip(world: World, files: Mapping[str, bytes], folder: Path) -> str:
    index, digest = published(world, files)
    pin = f"playwright==1.0.0 --hash=sha256:{digest}"
    (folder / "requirements.txt").write_text(f"--index-url {index.simple}\n{pin}\n")
    return index.origin


def uv(world: World, files: Mapping[str, bytes], folder: Path) -> str:
    index, digest = published(world, files)
    (folder / "uv.lock").write_text(
        'version = 1\nrequires-python = ">=3.11"\n'
        '[[package]]\nname = "app"\nversion = "1"\nsource = { virtual = "." }\n'
        'dependencies = [{ name = "playwright" }]\n'
        '[[package]]\nname = "playwright"\nversion = "1.0.0"\n'
        f'source = {{ registry = "{index.simple}" }}\n'
        f'wheels = [{{ url = "{index.address(WHEEL)}", hash = "sha256:{digest}" }}]\n'
    )
    return index.origin


def poetry(world: World, files: Mapping[str, bytes], folder: Path) -> str:
    index, digest = published(world, files)
    (folder / "poetry.lock").write_text(
        '[[package]]\nname = "playwright"\nversion = "1.0.0"\ndescription = ""\n'
        'optional = false\npython-versions = "*"\ngroups = ["main"]\n'
        f'files = [{{ file = "{WHEEL}", hash = "sha256:{digest}" }}]\n'
        f'[package.source]\ntype = "legacy"\nurl = "{index.simple}"\nreference = "x"\n'
        '[metadata]\nlock-version = "2.1"\npython-versions = "*"\ncontent-hash = ""\n'
    )
    return index.origin


@pytest.mark.parametrize("lock", [npm, pip, uv, poetry])
def test_browsers_are_pinned(
    lock: Callable[[World, Mapping[str, bytes], Path], str], world: World, tmp_path: Path
) -> None:
    mirror = world.site(tls=True).mount("", Files())
    chrome, ffmpeg = mirror.put(CHROME, b"chrome"), mirror.put(FFMPEG, b"ffmpeg")
    files = {
        "browsers.json": json.dumps({"browsers": BROWSERS}).encode(),
        "lib/coreBundle.js": CODE.replace("<HERE>", mirror.url).encode(),
    }
    project = tmp_path / "project"
    project.mkdir()
    other = zip_of({"chrome-linux64/chrome": b"Puppeteer's, of the same name"})
    pinned = {mirror.put("1.2.3/linux64/chrome-linux64.zip", other): sha256(other)}
    (project / "artifacts.lock.yaml").write_text(artifacts_lock(pinned))
    origin = lock(world, files, project)
    allowed = ("--allow-host", origin, "--allow-host", mirror.origin)
    options = (project, *allowed, "--target", "linux-x86_64-gnu-py3.12")
    cli = Cli(tmp_path, environ=world.environ)
    done = cli.ok("extras", *options)
    assert f"download_url: {chrome}\n" in done.out and f"download_url: {ffmpeg}\n" in done.out
    assert "filename: chromium-12/chrome-linux64.zip" in done.out
    assert "for playwright" in done.out
    assert "fetches webkit-ubuntu-24.04.zip or webkit-debian-13.zip (playwright" in done.err
    # Installing fetches none of them: packing does not speak of it.
    assert "fetches" not in cli.ok("pack", *options).err
