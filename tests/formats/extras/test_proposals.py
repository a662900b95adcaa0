"""Addresses that packages' own data give: of addons that are compiled already, and of browsers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.formats.extras.test_command import lock
from tests.world.npm import NpmRegistry
from vendorpack.formats._shared.npm.prebuilt import prebuilt
from vendorpack.model import Target

RELEASES = "https://github.com/o/r/releases/download"
NAPI = {
    "name": "bcrypt",
    "version": "5.1.1",
    "binary": {
        "module_name": "bcrypt_lib",
        "package_name": "{module_name}-v{version}-napi-v{napi_build_version}-{platform}-{arch}-"
        "{libc}.tar.gz",
        "host": "https://github.com",
        "remote_path": "o/r/releases/download/v{version}",
        "napi_versions": [3],
    },
}
ABIS = json.dumps(
    [
        {"runtime": "electron", "target": "24.0.0", "abi": "114"},
        {"runtime": "node", "target": "22.0.0", "abi": "127"},
        {"runtime": "node", "target": "24.0.0", "abi": "137"},
    ]
).encode()
LINUX, MUSL = Target("linux", "x86_64", "gnu"), Target("linux", "aarch64", "musl")


@pytest.mark.parametrize(
    ("manifest", "script", "target", "file"),
    [
        (NAPI, "node-pre-gyp install", LINUX, "bcrypt_lib-v5.1.1-napi-v3-linux-x64-glibc.tar.gz"),
        (NAPI, "node-pre-gyp install", MUSL, "bcrypt_lib-v5.1.1-napi-v3-linux-arm64-musl.tar.gz"),
        (
            {"name": "@s/lite", "version": "5.1.1"},
            "prebuild-install || node-gyp rebuild",
            LINUX,
            "lite-v5.1.1-node-v137-linux-x64.tar.gz",
        ),
        (
            {"name": "lite", "version": "5.1.1", "binary": {"napi_versions": [3, 6]}},
            "prebuild-install -r napi || node-gyp rebuild",
            MUSL,
            "lite-v5.1.1-napi-v6-linuxmusl-arm64.tar.gz",
        ),
    ],
)
def test_prebuilt_addons(
    manifest: Mapping[str, object], script: str, target: Target, file: str
) -> None:
    abis = {"abi_registry.json": lambda: ABIS}
    (found,) = prebuilt(manifest, script, RELEASES, [target], ["24.19.0"], abis)
    assert found.url == f"{RELEASES}/v5.1.1/{file}"
    assert found.pattern == file


def test_what_cannot_be_told() -> None:
    """Without Node's version there is no ABI; and an unknown field is no address."""
    plain = {"name": "lite", "version": "1.0.0"}
    assert not [*prebuilt(plain, "prebuild-install", RELEASES, [LINUX], [], {})]
    assert not [*prebuilt(plain, "node-pre-gyp install", RELEASES, [LINUX], ["24.1.0"], {})]
    odd = {**NAPI, "binary": {**NAPI["binary"], "remote_path": "{mystery}"}}  # type: ignore[dict-item]
    assert not [*prebuilt(odd, "node-pre-gyp install", RELEASES, [LINUX], [], {})]


def test_one_that_is_not_reached_does_not_stop_the_others(
    registry: NpmRegistry, tmp_path: Path
) -> None:
    """Headers of two versions of Node, of which one is not there."""
    cli = Cli(tmp_path)
    project = lock(
        registry, tmp_path / "project", {"addon": {"scripts": {"install": "node-gyp rebuild"}}}
    )
    targets = ("--target", "linux-x86_64-node24.1.0", "--target", "linux-x86_64-node22.1.0")
    options = (project, "--allow-host", registry.origin, *targets)
    lost = f"{registry.url}/files/v22.1.0/node-v22.1.0-headers.tar.gz"
    for words in (("extras",), ("extras", "--write")):
        done = cli(*words, *options)
        assert done.code == 7
        assert "not reached: for addon 1.0.0" in done.err and lost in done.err
        assert "1 file could not be fetched" in done.err
        written = (project / "artifacts.lock.yaml").read_text() if "--write" in words else done.out
        assert written.count("download_url") == 1 and "node-v24.1.0-headers.tar.gz" in written


def test_browsers(registry: NpmRegistry, tmp_path: Path) -> None:
    """As Puppeteer's and Playwright's packages name them. Nothing is at those addresses."""
    revisions = b"{\n  chrome: '131.0.1',\n  'chrome-headless-shell': '131.0.2',\n}"
    base = "baseUrl = 'https://127.0.0.1:9/cft'"
    browsers = {
        "browsers": [
            {"name": "chromium", "revision": "12", "installByDefault": True},
            {"name": "firefox", "revision": "14", "installByDefault": True},
            {"name": "android", "revision": "1", "installByDefault": False},
        ]
    }
    paths = """
const _CDN_MIRRORS = [
  "https://127.0.0.1:9/pw"
];
const EXECUTABLE_PATHS = {
  "chromium": { "linux-x64": ["chrome-linux", "chrome"] }
};
const DOWNLOAD_PATHS = {
  "chromium": {
    "<unknown>": void 0,
    "debian12-x64": "builds/chromium/%s/chromium-linux.zip",
    "debian12-arm64": "builds/chromium/%s/chromium-linux-arm64.zip",
    "ubuntu24.04-x64": "builds/chromium/%s/chromium-linux.zip",
    "mac14": "builds/chromium/%s/chromium-mac.zip"
  },
  "firefox": {
    "debian12-x64": "builds/firefox/%s/firefox-debian-12.zip",
    "ubuntu24.04-x64": "builds/firefox/%s/firefox-ubuntu-24.04.zip"
  }
"""
    published: dict[str, tuple[dict[str, bytes], dict[str, object]]] = {
        "puppeteer": ({}, {"scripts": {"postinstall": "node install.mjs"}}),
        "puppeteer-core": ({"lib/cjs/puppeteer/revisions.js": revisions}, {}),
        "@puppeteer/browsers": ({"lib/browser-data/chrome.js": base.encode()}, {}),
        "playwright-core": (
            {
                "browsers.json": json.dumps(browsers).encode(),
                "lib/server/registry/index.js": paths.encode(),
            },
            {},
        ),
    }
    for name, (files, fields) in published.items():
        registry.publish(name, "1.0.0", files, **fields)
    project = tmp_path / "project"
    registry.lock(project, dict.fromkeys(published, "1.0.0"), puppeteer={"hasInstallScript": True})
    options = (project, "--allow-host", registry.origin, "--target", "linux-x86_64-gnu")
    done = Cli(tmp_path)("extras", "--allow-host", "127.0.0.1:9", *options)
    assert done.code == 7, done.err
    for url in (
        "https://127.0.0.1:9/cft/131.0.1/linux64/chrome-linux64.zip",
        "https://127.0.0.1:9/cft/131.0.2/linux64/chrome-headless-shell-linux64.zip",
        "https://127.0.0.1:9/pw/builds/chromium/12/chromium-linux.zip",
    ):
        assert f"{url}" in done.err
    assert done.err.count("not reached: for ") == 3
    assert "3 files could not be fetched" in done.err
    assert "fetches firefox-debian-12.zip or firefox-ubuntu-24.04.zip" in done.err
    assert done.out == ""
    # Packing speaks of what installing downloads alone.
    said = Cli(tmp_path).ok("pack", *options).err
    assert "puppeteer 1.0.0 fetches" in said and "playwright" not in said
