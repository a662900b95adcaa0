"""Registries whose index is a git repository, by the command line."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.world import Site, World, basic
from tests.world.cargo import CrateDownloads, index_files
from tests.world.crates import crate, package
from tests.world.git import GitHost, Repository

LOGIN = "someone:canary-password"


@dataclass
class Own:
    """A registry with one crate, of which a lockfile knows the checksum, or not."""

    site: Site
    downloads: CrateDownloads
    index: Repository
    served: Path
    url: str

    def publish(self) -> None:
        """Let the index hold what the downloads do."""
        self.index.commit(index_files(self.downloads))
        shutil.rmtree(self.served, ignore_errors=True)
        self.index.publish(self.served)

    def lock(self, folder: Path, *, checksum: bool = True, name: str = "one") -> Path:
        content = self.downloads.crates["one", "1.0.0"] if checksum else None
        folder.mkdir(exist_ok=True)
        text = "version = 4\n" + package(name, "1.0.0", f"registry+{self.url}", content)
        (folder / "Cargo.lock").write_text(text)
        return folder


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Own, Cli]]:
    with World(tmp_path) as world:
        site = world.site(tls=True)
        downloads = site.mount("dl", CrateDownloads())
        downloads.crates["one", "1.0.0"] = crate("one", "1.0.0")
        served = tmp_path / "served"
        host = site.mount("git", GitHost(served), login=basic(LOGIN))
        index = Repository(tmp_path / "index")
        made = Own(site, downloads, index, served, f"{host.url}/index.git")
        made.publish()
        netrc = tmp_path / "home/.netrc"
        netrc.parent.mkdir(exist_ok=True)
        netrc.write_text("machine 127.0.0.1 login someone password canary-password\n")
        netrc.chmod(0o600)
        environ = {**world.environ, "CARGO_REGISTRIES_OWN_INDEX": made.url}
        yield made, Cli(tmp_path, environ=environ)


def test_a_release_that_came_later_changes_nothing(own: tuple[Own, Cli], tmp_path: Path) -> None:
    registry, cli = own
    app = registry.lock(tmp_path / "app")
    cli.ok("pack", app, "-o", "first.tar.zst")
    registry.downloads.crates["one", "1.1.0"] = crate("one", "1.1.0")
    registry.publish()
    cli.ok("pack", app, "-o", "second.tar.zst")
    first, second = (tmp_path / f"{name}.tar.zst" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_a_missing_checksum_is_the_indexs_word(own: tuple[Own, Cli], tmp_path: Path) -> None:
    registry, cli = own
    cli.ok("pack", registry.lock(tmp_path / "app", checksum=False), "-o", "deps.tar.zst")
    (artifact,) = cli.ok("show", "deps.tar.zst", "--json").json["artifacts"]
    assert artifact["trust"] == "registry"


def test_a_crate_that_is_not_in_the_index(own: tuple[Own, Cli], tmp_path: Path) -> None:
    registry, cli = own
    app = registry.lock(tmp_path / "app", checksum=False, name="other")
    done = cli("pack", app, "-o", "deps.tar.zst")
    assert done.code != 0
    assert "the registry's index has no other 1.0.0\n  Cargo.lock:2\n" in done.err


def test_an_index_that_wants_a_login(own: tuple[Own, Cli], tmp_path: Path) -> None:
    registry, cli = own
    (tmp_path / "home/.netrc").unlink()
    done = cli("pack", registry.lock(tmp_path / "app"), "-o", "deps.tar.zst")
    assert done.code != 0 and "--git-config" in done.err
    assert not (tmp_path / "deps.tar.zst").exists()


def test_an_index_that_nothing_but_the_lockfile_names(own: tuple[Own, Cli], tmp_path: Path) -> None:
    registry, _ = own
    plain = Cli(tmp_path)
    registry.site.requests.clear()
    done = plain("pack", registry.lock(tmp_path / "app"), "-o", "deps.tar.zst")
    assert done.code != 0 and f"--allow-host 127.0.0.1:{registry.site.port}" in done.err
    assert registry.site.requests == []


def test_an_index_on_the_disk(own: tuple[Own, Cli], tmp_path: Path) -> None:
    _, cli = own
    app = tmp_path / "app"
    app.mkdir()
    lock = "version = 4\n" + package("one", "1.0.0", "registry+file:///srv/index", b"")
    (app / "Cargo.lock").write_text(lock)
    done = cli("pack", app, "-o", "deps.tar.zst")
    assert "an index is asked by https, http, ssh" in done.err.lower()
