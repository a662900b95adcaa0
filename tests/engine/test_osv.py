"""Known vulnerabilities behind the gap: a bundle's bill of materials, and a real osv-scanner.

The databases are made here, in OSV's own form; nothing is asked of the network, which is cut off.
"""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli import Cli
from tests.formats.served import internet, pack_samples
from tests.real.clients import Machine, client
from tests.world.distributions import sha256
from tests.world.files import artifacts_lock
from vendorpack.contract import Document, Sample

pytestmark = pytest.mark.real

PLANTED = {
    "npm": ("npm", "left"),
    "PyPI": ("pip", "tool"),
    "crates.io": ("cargo", "right"),
    "Go": ("gomod", "own.example/Left"),
    "RubyGems": ("bundler", "left"),
    "Maven": ("maven", "org.example:left"),
}
"""OSV's ecosystem to a format that has it, and a package of its sample."""
SEMVER = ("npm", "crates.io", "Go")
SCAN = ("scan", "source", "--offline", "--format", "json", "-L")
FORMATS = ("npm", "poetry", "cargo", "gomod", "bundler", "maven")
DATABASES = "https://databases.test/"
VARIABLE = "OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY"


def entry(ecosystem: str, name: str) -> dict[str, Any]:
    """All releases of a package have it."""
    return {
        "schema_version": "1.6.0",
        "id": f"TEST-2026-{sorted(PLANTED).index(ecosystem)}",
        "modified": "2026-01-01T00:00:00Z",
        "published": "2026-01-01T00:00:00Z",
        "summary": f"planted in {name}",
        "affected": [
            {
                "package": {"ecosystem": ecosystem, "name": name},
                "ranges": [
                    {
                        "type": "SEMVER"
                        if ecosystem in ("npm", "crates.io", "Go")
                        else "ECOSYSTEM",
                        "events": [{"introduced": "0"}, {"fixed": "9.0.0"}],
                    }
                ],
            }
        ],
    }


def database(ecosystem: str) -> bytes:
    """A zip of entries, as OSV publishes it for each ecosystem."""
    made = entry(ecosystem, PLANTED[ecosystem][1])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"{made['id']}.json"), json.dumps(made))
    return out.getvalue()


@dataclass(frozen=True)
class Inside:
    """A machine without a network: the bill of materials, and an unpacked bundle of databases."""

    folder: Path
    prefix: Path

    def scan(self, name: str, env: Mapping[str, str] | None = None) -> tuple[int, dict[str, str]]:
        """The exit code, and each finding's package by its id."""
        program = client("osv-scanner") / "bin/osv-scanner"
        done = subprocess.run(
            ["unshare", "-rn", program, *SCAN, name],
            cwd=self.folder,
            env=Machine(self.folder).env(
                {VARIABLE: str(self.prefix / "extras/files")} if env is None else env
            ),
            capture_output=True,
            text=True,
            timeout=300,
        )
        found = json.loads(done.stdout)["results"] if done.stdout.strip() else []
        return done.returncode, {
            vulnerability["id"]: package["package"]["name"]
            for result in found
            for package in result["packages"]
            for vulnerability in package["vulnerabilities"]
        }


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Inside:
    client("osv-scanner")
    folder = tmp_path_factory.mktemp("osv")
    cli = pack_samples(folder, FORMATS)
    for form, end in (("cyclonedx", "cdx"), ("spdx", "spdx")):
        cli.ok("sbom", "deps.tar.zst", "--format", form, "-o", f"deps.{end}.json")
    # The databases change every day: they are a bundle of their own.
    zips = {f"{DATABASES}{name}/all.zip": database(name) for name in PLANTED}
    names = {url: f"osv-scalibr/{url.split('/')[-2]}/all.zip" for url in zips}
    lock = artifacts_lock({url: sha256(data) for url, data in zips.items()}, names)
    sample = Sample("artifacts.lock.yaml", {}, {url: Document(data) for url, data in zips.items()})
    (folder / "databases").mkdir()
    (folder / "databases/artifacts.lock.yaml").write_text(lock)
    with internet(folder, [sample]) as online:
        online.ok("pack", "databases", "--allow-host", "databases.test", "-o", "osv.tar.zst")
    Cli(folder).ok("unpack", "osv.tar.zst", "--prefix", "osv")
    return Inside(folder, folder / "osv")


@pytest.mark.parametrize(("name", "missed"), [("deps.cdx.json", ()), ("deps.spdx.json", ("Go",))])
def test_what_is_planted_is_found(inside: Inside, name: str, missed: tuple[str, ...]) -> None:
    """In SPDX all but a Go module with a capital letter in its name."""
    code, found = inside.scan(name)
    # Of a package with a group osv-scanner shows the last part of its name alone.
    planted = {
        entry(each, package)["id"] for each, (_, package) in PLANTED.items() if each not in missed
    }
    assert code == 1 and found.keys() == planted


def test_a_database_that_is_missing_is_an_error(inside: Inside, tmp_path: Path) -> None:
    """Nothing is found then, of the other ecosystems neither: only the exit code tells."""
    for name in sorted(PLANTED)[1:]:
        folder = tmp_path / "osv-scalibr" / name
        folder.mkdir(parents=True)
        (folder / "all.zip").write_bytes(database(name))
    code, found = inside.scan("deps.cdx.json", {VARIABLE: str(tmp_path)})
    assert code == 127 and found == {}


def test_the_folder_has_one_name(inside: Inside, tmp_path: Path) -> None:
    """Not the one that older documentation has."""
    (tmp_path / "osv-scanner").symlink_to(inside.prefix / "extras/files/osv-scalibr")
    code, found = inside.scan("deps.cdx.json", {VARIABLE: str(tmp_path)})
    assert code == 127 and found == {}


def test_the_name_of_the_file_says_what_it_is(inside: Inside) -> None:
    (inside.folder / "deps.json").write_bytes((inside.folder / "deps.cdx.json").read_bytes())
    code, found = inside.scan("deps.json")
    assert code == 127 and found == {}
