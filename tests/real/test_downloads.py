"""Packages that download a program when they are installed, with their scripts, from a bundle.

The packages are the real ones, of npm's registry and of PyPI. The hosts that they download from are
not reached: archives that are made here stand in for Electron, Cypress, Chrome and the others, at
the public addresses, on servers of the loopback that a proxy leads to. That each client finds its
program where the bundle has it, and starts it, is what is shown.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.addons import addon
from tests.real.clients import Machine, client, copy_project, extract, pack
from tests.real.test_npm import npm
from tests.real.ways import online
from tests.world import World
from tests.world.files import Files, artifacts_lock, tar_gz, zip_of
from tests.world.npm import sri

pytestmark = [pytest.mark.real, pytest.mark.network]

VERSIONS = {
    "chromedriver": "130.0.1",
    "cypress": "14.5.4",
    "electron": "36.0.0",
    "ffmpeg-static": "5.2.0",
    "playwright": "1.57.0",
    "prisma": "6.19.3",
    "puppeteer": "24.0.0",
    "sharp": "0.32.6",
}
CHROME = "131.0.6778.264"
"""Of this Puppeteer (`revisions.js`)."""
FIREFOX, SHELL = "firefox-1497", "chromium_headless_shell-1200"
"""Of this Playwright (`browsers.json`)."""
ENGINES = "c2990dca591cba766e3b7ef5d9e8a84796e47ab7"
"""The commit of this Prisma's engines (`@prisma/engines-version`)."""
LIBVIPS = "libvips-8.14.5-linux-x64.tar.br"
ELECTRON = f"electron-v{VERSIONS['electron']}-linux-x64.zip"
PYTHON = "cpython-3.12.7+20241016-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"


def program(name: str) -> bytes:
    """What stands in for a program: it says its name."""
    return f"#!/bin/sh\necho {name} of the bundle\n".encode()


@functools.cache
def brotli(data: bytes) -> bytes:
    """Compressed by Node.js: Python cannot."""
    code = "process.stdout.write(zlib.brotliCompressSync(fs.readFileSync(0)))"
    command = [str(client("node") / "bin/node"), "-e", code]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def archives() -> dict[str, bytes]:
    """The public addresses, and what stands in for the files there."""
    chrome = f"https://storage.googleapis.com/chrome-for-testing-public/{CHROME}/linux64"
    driver = "https://storage.googleapis.com/chrome-for-testing-public/130.0.6723.69/linux64"
    electron = f"https://github.com/electron/electron/releases/download/v{VERSIONS['electron']}"
    cypress = f"https://cdn.cypress.io/desktop/{VERSIONS['cypress']}/linux-x64/cypress.zip"
    playwright = "https://cdn.playwright.dev/dbazure/download/playwright/builds"
    inside = json.dumps({"name": "cypress", "version": VERSIONS["cypress"]}).encode()
    shell = "chrome-headless-shell-linux64/chrome-headless-shell"
    prisma = f"https://binaries.prisma.sh/all_commits/{ENGINES}/debian-openssl-3.0.x"
    vips = gzip.decompress(tar_gz({"versions.json": b'{"vips": "of the bundle"}'}))
    sharp = {"build/Release/sharp-linux-x64.node": addon()}
    return {
        f"{electron}/{ELECTRON}": zip_of({"electron": program("electron"), "version": b"36.0.0"}),
        cypress: zip_of(
            {"Cypress/Cypress": program("Cypress"), "Cypress/resources/app/package.json": inside}
        ),
        f"{chrome}/chrome-linux64.zip": zip_of({"chrome-linux64/chrome": program("chrome")}),
        f"{chrome}/chrome-headless-shell-linux64.zip": zip_of({shell: program("shell")}),
        f"{driver}/chromedriver-linux64.zip": zip_of(
            {"chromedriver-linux64/chromedriver": program("chromedriver")}
        ),
        f"{playwright}/firefox/1497/firefox-debian-12.zip": zip_of(
            {"firefox/firefox": program("firefox")}
        ),
        f"{playwright}/ffmpeg/1011/ffmpeg-linux.zip": zip_of({"ffmpeg-linux": program("ffmpeg")}),
        f"{playwright}/chromium/1200/chromium-headless-shell-linux.zip": zip_of(
            {"chrome-linux/headless_shell": program("headless_shell")}
        ),
        "https://github.com/eugeneware/ffmpeg-static/releases/download/b6.0/ffmpeg-linux-x64.gz": (
            gzip.compress(program("ffmpeg"), mtime=0)
        ),
        f"{prisma}/libquery_engine.so.node.gz": gzip.compress(addon(), mtime=0),
        f"{prisma}/schema-engine.gz": gzip.compress(program("schema-engine"), mtime=0),
        f"https://github.com/lovell/sharp-libvips/releases/download/v8.14.5/{LIBVIPS}": brotli(
            vips
        ),
        "https://github.com/lovell/sharp/releases/download/v0.32.6/"
        "sharp-v0.32.6-napi-v7-linux-x64.tar.gz": tar_gz(sharp, mode=0o755),
    }


@dataclass(frozen=True)
class Installed:
    """A project at the target, installed from the bundle with all scripts."""

    machine: Machine
    project: Path
    prefix: Path

    def run(self, *command: str | Path) -> str:
        return self.machine.offline(*command, cwd=self.project, prefix=self.prefix)

    def evaluated(self, code: str) -> str:
        """What node prints for an expression."""
        return self.run("node", "-p", code).splitlines()[-1]

    def says(self, path: str, name: str) -> None:
        """The program there is the bundle's."""
        assert self.run(path) == f"{name} of the bundle\n"


@dataclass(frozen=True)
class Internet:
    """The hosts of these files. environ: what leads there, and to all others as ever."""

    environ: Mapping[str, str]

    @classmethod
    def of(cls, world: World, files: Mapping[str, bytes], folder: Path) -> Internet:
        names = {url.split("/")[2] for url in files}
        site = world.site(tls=True, names=sorted(names))
        served = site.mount("", Files())
        for url, data in files.items():
            served.put(url.split("/", 3)[3], data)
        trusted = folder / "trusted.pem"
        usual = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
        trusted.write_bytes(
            (Path(usual).read_bytes() if usual else b"") + world.ca_file.read_bytes()
        )
        proxy = world.internet(**{name.replace(".", "_"): site for name in names})
        return cls({"SSL_CERT_FILE": str(trusted), **proxy})


@pytest.fixture(scope="module")
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    folder = tmp_path_factory.mktemp("internet")
    with World(folder) as world:
        yield Internet.of(world, archives(), folder)


def locked(files: Mapping[str, bytes]) -> str:
    return artifacts_lock({url: hashlib.sha256(data).hexdigest() for url, data in files.items()})


@pytest.fixture(scope="module")
def installed(internet: Internet, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """One project with all of them: `npm ci`, then what its scripts say of Electron's stand-in."""
    folder = tmp_path_factory.mktemp("downloads")
    node, script = npm("11")
    project = folder / "project"
    project.mkdir()
    app = {"name": "app", "version": "1.0.0", "private": True, "dependencies": VERSIONS}
    (project / "package.json").write_text(json.dumps(app))
    (project / "artifacts.lock.yaml").write_text(locked(archives()))
    here = Machine(folder, [node.parent])
    named = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR")
    trusting = {name: os.environ[name] for name in named if name in os.environ}
    lock = (node, script, "install", "--package-lock-only", "--ignore-scripts")
    online(lock, project, here.env(trusting))
    cli = Cli(folder, environ=internet.environ)
    done = pack(cli, project, "-o", folder / "deps.tar.zst")
    assert "fetches what is not in the bundle" not in done.err, done.err
    prefix = extract(folder / "deps.tar.zst", folder / "deps")
    there = Installed(
        Machine(folder / "target", [node.parent]),
        copy_project(project, folder / "target/project"),
        prefix,
    )
    there.run(node, script, "ci", "--ignore-scripts")
    # By the hashes in their packages they refuse what stands in; Electron asks for it anew.
    for name, said in (
        ("electron", "EAI_AGAIN github.com"),
        ("sharp", "Integrity check failed for linux-x64"),
    ):
        done = there.machine.attempt(
            node, script, "rebuild", name, cwd=there.project, prefix=prefix
        )
        assert done.code != 0 and said in done.out, done.out
    made = {url.rpartition("/")[2]: data for url, data in archives().items()}
    sums = there.project / "node_modules/electron/checksums.json"
    sums.write_text(json.dumps({ELECTRON: hashlib.sha256(made[ELECTRON]).hexdigest()}))
    # The refusal leaves an empty folder, which sharp would take for its libvips.
    shutil.rmtree(there.project / "node_modules/sharp/vendor")
    package = there.project / "node_modules/sharp/package.json"
    manifest = json.loads(package.read_text())
    manifest["config"]["integrity"]["linux-x64"] = sri(made[LIBVIPS])
    package.write_text(json.dumps(manifest))
    there.run(node, script, "rebuild", "--foreground-scripts")
    return there


def test_electron(installed: Installed) -> None:
    path = installed.evaluated("require('electron')")
    assert path == str(installed.project / "node_modules/electron/dist/electron")
    installed.says(path, "electron")


def test_cypress(installed: Installed) -> None:
    shown = installed.run("node_modules/.bin/cypress", "version")
    assert f"Cypress binary version: {VERSIONS['cypress']}" in shown
    cache = installed.run("node_modules/.bin/cypress", "cache", "path").strip()
    assert cache == str(installed.prefix / "extras/cypress")
    installed.says(f"{cache}/{VERSIONS['cypress']}/Cypress/Cypress", "Cypress")


def test_puppeteer(installed: Installed) -> None:
    path = installed.evaluated("require('puppeteer').executablePath()")
    assert path.startswith(str(installed.prefix))
    installed.says(path, "chrome")
    installed.says(
        installed.evaluated("require('puppeteer').executablePath({ headless: 'shell' })"), "shell"
    )


def test_playwright(installed: Installed) -> None:
    for kind, name in (("firefox", "firefox"), ("chromium-headless-shell", "headless_shell")):
        installed.run("node_modules/.bin/playwright", "install", kind)
        folder = FIREFOX if kind == "firefox" else SHELL
        (path,) = (installed.prefix / "extras/playwright" / folder).glob(f"*/{name}")
        installed.says(str(path), name)
    path_said = installed.evaluated("require('playwright').firefox.executablePath()")
    assert path_said == str(installed.prefix / f"extras/playwright/{FIREFOX}/firefox/firefox")


def test_chromedriver(installed: Installed) -> None:
    installed.says(installed.evaluated("require('chromedriver').path"), "chromedriver")


def test_ffmpeg_static(installed: Installed) -> None:
    path = installed.evaluated("require('ffmpeg-static')")
    assert path == str(installed.prefix / "extras/ffmpeg/ffmpeg")
    installed.says(path, "ffmpeg")


def test_libvips_of_sharp(installed: Installed) -> None:
    """Before 0.33. Its addon stands in too, and prebuild-install has found it."""
    folder = installed.project / "node_modules/sharp"
    vendored = folder / "vendor/8.14.5/linux-x64/versions.json"
    assert json.loads(vendored.read_text()) == {"vips": "of the bundle"}
    assert (
        installed.evaluated(f"require('{folder}/build/Release/sharp-linux-x64.node').answer")
        == "42"
    )


def test_engines_of_prisma(installed: Installed) -> None:
    shown = installed.run("node_modules/.bin/prisma", "version")
    for name, variable in (
        ("libquery_engine.node", "PRISMA_QUERY_ENGINE_LIBRARY"),
        ("schema-engine", "PRISMA_SCHEMA_ENGINE_BINARY"),
    ):
        path = os.path.relpath(installed.prefix / "extras/prisma" / name, installed.project)
        assert f"of the bundle (at {path}, resolved by {variable})" in shown, shown


def test_a_wrong_hash_is_refused_at_pack(internet: Internet, tmp_path: Path) -> None:
    cli = Cli(tmp_path, environ=internet.environ)
    for url in archives():
        project = tmp_path / "project"
        project.mkdir(exist_ok=True)
        (project / "artifacts.lock.yaml").write_text(artifacts_lock({url: "ab" * 32}))
        done = cli("pack", project, "-o", tmp_path / "deps.tar.zst")
        assert done.code == 8 and "artifacts.lock.yaml:5" in done.err, done.err
        assert not (tmp_path / "deps.tar.zst").exists()


def test_a_python_of_uv(tmp_path: Path) -> None:
    """uv has the hashes of Pythons in itself; the stand-in's is in a list that it is told of."""
    tag = re.search(r"\+(\d{8})", PYTHON)
    assert tag is not None
    data = tar_gz({"python/bin/python3.12": program("python")}, mode=0o755)
    releases = "https://github.com/astral-sh/python-build-standalone/releases/download"
    url = f"{releases}/{tag[1]}/{PYTHON}"
    (tmp_path / "project").mkdir()
    (tmp_path / "project/artifacts.lock.yaml").write_text(locked({url: data}))
    with World(tmp_path) as world:
        environ = Internet.of(world, {url: data}, tmp_path).environ
        Cli(tmp_path, environ=environ).ok(
            "pack", tmp_path / "project", "-o", tmp_path / "deps.tar.zst"
        )
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    there = Machine(tmp_path / "target", [client("uv-0.13") / "bin"])
    listed = {
        "cpython-3.12.7-linux-x86_64-gnu": {
            "name": "cpython",
            "arch": {"family": "x86_64", "variant": None},
            "os": "linux",
            "libc": "gnu",
            "major": 3,
            "minor": 12,
            "patch": 7,
            "prerelease": "",
            "url": url.replace("+", "%2B"),
            "sha256": hashlib.sha256(data).hexdigest(),
            "variant": None,
            "build": tag[1],
        }
    }
    (there.folder).mkdir()
    (there.folder / "pythons.json").write_text(json.dumps(listed))
    env = {"UV_PYTHON_DOWNLOADS_JSON_URL": str(there.folder / "pythons.json")}
    there.attempt("uv", "python", "install", "3.12.7", cwd=there.folder, prefix=prefix, env=env)
    (found,) = (there.home / ".local/share/uv/python").glob("cpython-3.12.7-*/bin/python3.12")
    shown = subprocess.run([found], capture_output=True, text=True, check=True)
    assert shown.stdout == "python of the bundle\n"
