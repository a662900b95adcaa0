"""Team stores: a folder, and a bucket of moto's S3, used by several machines at once."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from tests.cli import Cli
from tests.world.npm import NpmRegistry
from vendorpack.digest import Digest, Integrity
from vendorpack.errors import FetchError, UsageError
from vendorpack.fetch.artifacts import Fetcher
from vendorpack.model import Artifact, Packed
from vendorpack.room import Format, Keep
from vendorpack.store.cloud import CloudObjects
from vendorpack.store.folder import FolderObjects
from vendorpack.store.local import Store
from vendorpack.store.objects import Objects
from vendorpack.store.team import TeamStore, open_objects

if TYPE_CHECKING:
    from vendorpack.fetch.http import Client
    from vendorpack.fetch.part import Download

PACKAGES = {f"p{number}": "1.0.0" for number in range(8)}


@dataclass(frozen=True)
class Place:
    """Where a team's store is: its address, and the environment that reaches it."""

    url: str
    environ: Mapping[str, str] = field(default_factory=dict)

    def objects(self, monkeypatch: pytest.MonkeyPatch) -> Objects:
        for name, value in self.environ.items():
            monkeypatch.setenv(name, value)
        return open_objects(self.url)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The environment that reaches a loopback S3."""
    for module in ("obstore", "moto", "flask", "flask_cors"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install -e '.[test]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("moto") / "log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=out,
            stderr=out,
        ) as server,
    ):
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    assert server.poll() is None and time.monotonic() < deadline, log.read_text()
                    time.sleep(0.05)
            yield {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ALLOW_HTTP": "true",
                "AWS_ACCESS_KEY_ID": "id",
                "AWS_SECRET_ACCESS_KEY": "canary-secret",
                "AWS_REGION": "us-east-1",
            }
        finally:
            server.terminate()


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return Place((tmp_path / "team").as_uri())
    environ = request.getfixturevalue("s3")
    bucket = f"team-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:20]}"
    address = f"{environ['AWS_ENDPOINT_URL']}/{bucket}"
    urllib.request.urlopen(urllib.request.Request(address, method="PUT")).close()
    return Place(f"s3://{bucket}/some/prefix", environ)


@pytest.fixture
def project(npm: NpmRegistry, tmp_path: Path) -> Path:
    npm.lock(tmp_path / "project", PACKAGES)
    return tmp_path / "project"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# -- objects -------------------------------------------------------------------------------


def test_objects_are_created_once(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = place.objects(monkeypatch)
    name = "cas/sha256/ab/abcd"
    assert objects.size(name) is None and objects.read(name, 10) is None
    assert not objects.save(name, tmp_path / "saved", 10)
    assert objects.create(name, BytesIO(b"0123456789"))
    assert not objects.create(name, BytesIO(b"other"))
    assert objects.size(name) == 10
    assert objects.create("empty", BytesIO()) and objects.read("empty", 10) == b""
    assert objects.read(name, 100) == b"0123456789" and objects.read(name, 3, 4) == b"456"
    for limit, data in ((10, b"0123456789"), (4, b"01234")):
        assert objects.save(name, tmp_path / "saved", limit)
        assert (tmp_path / "saved").read_bytes() == data
    if isinstance(objects, FolderObjects):
        assert sorted(p.name for p in (tmp_path / "team").rglob("*") if p.is_file()) == [
            "abcd",
            "empty",
        ]


def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("a b", (tmp_path / "a b").as_uri(), str(tmp_path / "a b")):
        assert open_objects(url).url == str(tmp_path / "a b")
    for url in ("ftp://example.com/x", "https://example.com/x", "file://example.com/x"):
        with pytest.raises(UsageError, match="is not known"):
            open_objects(url)


def test_without_obstore_it_says_what_to_install(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(UsageError) as caught:
        CloudObjects("s3://key:secret@bucket/x")
    assert caught.value.fix == "pip install obstore (the extra `store` brings it)"
    assert "secret" not in str(caught.value)


# -- pack and download ---------------------------------------------------------------------


def test_what_one_machine_packed_another_need_not_download(
    place: Place, npm: NpmRegistry, project: Path, tmp_path: Path
) -> None:
    first = Cli(tmp_path, "store1", place.environ)
    packed = first.ok("pack", project, "--store", place.url, "-o", "1.tar.zst", "--json")
    assert packed.json["downloaded"] == len(PACKAGES)
    assert packed.json["from_team_store"] == 0 and "now in the team store too" in packed.err

    npm.server.requests.clear()
    second = Cli(tmp_path, "store2", {**place.environ, "VENDORPACK_TEAM_STORE": place.url})
    again = second.ok("pack", project, "-o", "2.tar.zst", "--json")
    assert (again.json["downloaded"], again.json["from_team_store"]) == (0, len(PACKAGES))
    assert npm.server.requests == []
    assert (tmp_path / "1.tar.zst").read_bytes() == (tmp_path / "2.tar.zst").read_bytes()

    third = Cli(tmp_path, "store3", place.environ)
    filled = third.ok("download", project, "--store", place.url, "--prefix", "p", "--json")
    assert filled.json["from_team_store"] == len(PACKAGES) and npm.server.requests == []
    assert third.ok("verify", "p", "--json").json["id"] == packed.json["id"]

    got = third.ok("store", "get", project, "--store", place.url, "-o", "got.tar.zst")
    assert got.out.split()[1] == packed.json["id"]
    assert (tmp_path / "got.tar.zst").read_bytes() == (tmp_path / "1.tar.zst").read_bytes()
    npm.lock(project, {**PACKAGES, "p0": "2.0.0"})
    absent = third("store", "get", project, "--store", place.url, "-o", "none.tar.zst")
    assert absent.code == 7 and not (tmp_path / "none.tar.zst").exists()
    for done in (packed, again, filled, got, absent):
        assert "canary" not in done.out + done.err


def test_what_the_local_store_has_is_added_too(
    place: Place, npm: NpmRegistry, project: Path, tmp_path: Path
) -> None:
    cli = Cli(tmp_path, environ=place.environ)
    cli.ok("pack", project, "-o", "1.tar.zst")
    cli.ok("pack", project, "-o", "2.tar.zst", "--store", place.url)
    npm.server.requests.clear()
    other = Cli(tmp_path, "other", place.environ)
    other.ok("pack", project, "-o", "3.tar.zst", "--store", place.url)
    assert npm.server.requests == []


def test_warmed_by_shares(npm: NpmRegistry, place: Place, project: Path, tmp_path: Path) -> None:
    """Machines that each take one leave nothing to be downloaded."""
    for number in (1, 2, 3):
        one = Cli(tmp_path, f"store{number}", place.environ)
        done = one.ok("store", "warm", project, "--store", place.url, "--share", f"{number}/3")
        assert done.out.startswith(("3 artifacts downloaded", "2 artifacts downloaded"))
    assert len(npm.server.paths) == len(PACKAGES)
    one = Cli(tmp_path, "last", place.environ)
    told = one.ok("store", "warm", project, "--store", place.url, "--json").json
    assert (told["downloaded"], told["from_team_store"]) == (0, len(PACKAGES))
    for wrong in ("0/3", "4/3", "1", "1/", "a/b"):
        done = one("store", "warm", project, "--store", place.url, "--share", wrong)
        assert done.code == 2 and "--share" in done.err
    assert one("store", "warm", project).code == 2


def test_two_packs_at_once_agree(place: Place, project: Path, tmp_path: Path) -> None:
    machines = [Cli(tmp_path, f"store{number}", place.environ) for number in range(2)]
    runs = [
        cli.start("pack", project, "--store", place.url, "-o", f"{number}.tar.zst")
        for number, cli in enumerate(machines)
    ]
    for process in runs:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0 and "warning" not in errors, errors
    assert (tmp_path / "0.tar.zst").read_bytes() == (tmp_path / "1.tar.zst").read_bytes()
    third = Cli(tmp_path, "store3", place.environ)
    done = third.ok("pack", project, "--store", place.url, "-o", "3.tar.zst", "--json")
    assert done.json["downloaded"] == 0
    assert (tmp_path / "0.tar.zst").read_bytes() == (tmp_path / "3.tar.zst").read_bytes()


# -- nothing there is believed -------------------------------------------------------------


def tamper(team: Path, kind: str, wanted: bytes) -> Path:
    """Make one object wrong, and say which."""
    blob = team / "cas/sha256" / sha256(wanted)[:2] / sha256(wanted)
    sha512 = hashlib.sha512(wanted).hexdigest()
    index = team / "index/sha512" / sha512[:2] / sha512
    if kind == "flipped":
        blob.write_bytes(wanted[:-1] + bytes([wanted[-1] ^ 1]))
    elif kind == "longer":
        blob.write_bytes(wanted + bytes(1 << 22))
    elif kind == "empty":
        blob.write_bytes(b"")
    elif kind == "other":
        other = next(p for p in blob.parents[1].rglob("*") if p.is_file() and p != blob)
        index.write_text(f"{other.name} {other.stat().st_size}\n")
        return other
    elif kind == "nonsense":
        index.write_text("../../../etc/passwd 1\n")
        return index
    return blob


@pytest.mark.parametrize("kind", ["flipped", "longer", "empty", "other", "nonsense"])
def test_a_wrong_object_is_refused_and_named(
    npm: NpmRegistry, project: Path, tmp_path: Path, kind: str
) -> None:
    team = tmp_path / "team"
    first = Cli(tmp_path, "store1")
    first.ok("pack", project, "--store", team, "-o", "1.tar.zst")
    wrong = tamper(team, kind, npm.packages[npm.path("p3", "1.0.0")])
    before = wrong.read_bytes()
    npm.server.requests.clear()
    done = Cli(tmp_path, "store2").ok("pack", project, "--store", team, "-o", "2.tar.zst", "--json")
    assert str(wrong) in done.err and "not used" in done.err
    assert done.json["downloaded"] == 1 and npm.server.paths == [npm.path("p3", "1.0.0")]
    assert (tmp_path / "1.tar.zst").read_bytes() == (tmp_path / "2.tar.zst").read_bytes()
    assert wrong.read_bytes() == before  # what is there is never changed


def test_digests_that_only_a_room_can_compute(tmp_path: Path) -> None:
    """The room derives the digest from the store's bytes, as it does from the registry's."""

    class Room:
        prepares = False
        exports = False

        def license(self, artifact: Artifact) -> None:
            return None

        def prepare(
            self, artifact: Artifact, algorithms: Sequence[str], path: Path, keep: Keep
        ) -> Mapping[str, bytes]:
            assert algorithms == ("h9",)
            return {"h9": path.read_bytes()[::-1]}

    async def no_client() -> Client:
        raise FetchError("no network")

    async def no_git(url: str, part: Path, algorithms: Sequence[str]) -> Download:
        raise FetchError("no git")

    async def no_export(url: str, out: Path) -> None:
        raise FetchError("no git")

    warnings: list[str] = []
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    team = TeamStore(FolderObjects(tmp_path / "team"), lambda *what: warnings.extend(what))
    integrity = Integrity.of([Digest("h9", b"9876543210")])
    artifact = Artifact(
        name="m",
        version="1",
        purl="pkg:golang/m@1",
        url="https://example.com/m",
        integrity=integrity,
        where="lock:1",
    )
    room = cast("Format", Room())
    blob = here.keep([b"0123456789"])
    team.give(integrity, blob, here)
    fetcher = Fetcher(
        there,
        no_client,
        no_git,
        no_export,
        nearby=(team,),
        warn=lambda *what: warnings.extend(what),
    )
    assert asyncio.run(fetcher.fetch([artifact], room)) == [Packed(artifact, blob)]
    assert fetcher.tally.nearby == {team.name: 1} and warnings == []
    # The index of another digest leads to the same bytes: they are not what is pinned.
    other = replace(artifact, integrity=Integrity.of([Digest("h9", b"something")]))
    team.give(other.integrity, blob, here)
    with pytest.raises(FetchError, match="no network"):
        asyncio.run(fetcher.fetch([other], room))
    assert "it is not m 1 as it is pinned; not used" in warnings
    assert there.find(other.integrity) is None


def test_a_wrong_bundle_is_reported_and_not_taken(
    npm: NpmRegistry, project: Path, tmp_path: Path
) -> None:
    team = tmp_path / "team"
    cli = Cli(tmp_path)
    key = cli.ok("pack", project, "--store", team, "-o", "1.tar.zst", "--json").json["key"]
    npm.lock(tmp_path / "other", {"p0": "1.0.0"})
    cli.ok("pack", "other", "-o", "other.tar.zst")
    stored = team / f"bundles/v1/{key}.tar.zst"
    for wrong in ((tmp_path / "other.tar.zst").read_bytes(), b"", b"no bundle" * 1000):
        stored.write_bytes(wrong)
        (tmp_path / "1.tar.zst").unlink()
        done = cli.ok("pack", project, "--store", team, "-o", "1.tar.zst")
        assert str(stored) in done.err and "left as it is" in done.err
        assert stored.read_bytes() == wrong
        got = cli("store", "get", project, "--store", team, "-o", "got.tar.zst")
        assert got.code in (10, 11) and not (tmp_path / "got.tar.zst").exists()


def test_a_store_that_is_out_of_order_costs_one_warning(
    project: Path, tmp_path: Path, npm: NpmRegistry
) -> None:
    (tmp_path / "file").write_text("no folder")
    cli = Cli(tmp_path)
    done = cli.ok("pack", project, "--store", tmp_path / "file", "-o", "1.tar.zst", "--json")
    assert done.err.count("warning: ") == 1 and done.json["downloaded"] == len(PACKAGES)
    # One that may only be read serves what it has.
    team = tmp_path / "team"
    npm.lock(tmp_path / "less", {"p0": "1.0.0"})
    cli.ok("pack", "less", "--store", team, "-o", "2.tar.zst")
    command = cli.argv("pack", project, "--store", team, "-o", "3.tar.zst", "--store-dir", "fresh")
    if shutil.which("setpriv") is None or shutil.which("unshare") is None:
        pytest.skip("no unshare to make a folder read-only with")
    mounted = f"mount --bind '{team}' '{team}' && mount -o remount,bind,ro '{team}' && exec \"$@\""
    run = subprocess.run(
        ["unshare", "-m", "sh", "-c", mounted, "sh", *command],
        cwd=tmp_path,
        env=cli.env(),
        capture_output=True,
        text=True,
    )
    if "mount: " in run.stderr or "unshare: " in run.stderr:
        pytest.skip("no leave to mount")
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("warning: ") == 1 and "nothing is added" in run.stderr
    assert f"1 from {team}" in run.stderr


def test_an_unreachable_bucket_is_an_error_that_says_so(
    s3: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    objects = open_objects("s3://bucket-that-is-not-there/x")
    with pytest.raises(FetchError) as caught:
        objects.create("a", BytesIO(b"x"))
    assert "canary" not in str(caught.value) and "\n" not in caught.value.what
