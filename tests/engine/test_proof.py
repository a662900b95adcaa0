"""A bundle of every room, held against its lockfile: as packed, and with an exchanged artifact."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from tests.cli import Cli
from tests.engine.carried import allow, make_key
from tests.formats.samples import SAMPLES
from tests.world.npm import NpmRegistry, npm_registry, sri
from vendorpack.bundle.manifest import Head, LockfileHash
from vendorpack.bundle.pieces import in_bundle
from vendorpack.bundle.plan import Section
from vendorpack.bundle.reader import open_bundle
from vendorpack.bundle.writer import write_bundle
from vendorpack.contract import Case
from vendorpack.environment import ENV_NAME, env_file
from vendorpack.errors import IntegrityError
from vendorpack.formats import BUILTIN
from vendorpack.key import hash_lockfile
from vendorpack.model import Entry, Json
from vendorpack.pack import artifact_record, environment_of
from vendorpack.proof import Proof, prove
from vendorpack.store.local import Store
from vendorpack.workshop import Shelf

ROOMS = {room.name: room for room in BUILTIN}
Pairs = list[tuple[Entry, int | None]]
OPENED = {"pnpm", "bun", "deno", "uv"}
"""Those whose archives are not in the bundle: the store is asked for them."""
MIXED = {"extras"}
"""Those that open some archives and keep others."""


@dataclass
class Made:
    """A room's sample, gathered; bundles of it, honest and forged."""

    case: Case

    @property
    def lock(self) -> Path:
        return self.case.folder / "project" / self.case.sample.lockfile

    def entries(self) -> Pairs:
        return self.case.entries(self.case.gathered)

    def records(self) -> list[dict[str, Json]]:
        return [artifact_record(p, self.case.room.name) for p in self.case.gathered.artifacts]

    def prove(self, entries: Pairs, records: list[dict[str, Json]], store: str | None) -> Proof:
        """Write a bundle and hold it against the lockfile."""
        case, room = self.case, self.case.room
        lock = case.sample.lockfile
        head = Head(
            key="ab" * 32,
            lockfiles=(LockfileHash(lock, room.name, hash_lockfile(self.lock.read_bytes())),),
            layouts={room.name: room.layout_version},
            options={lock: cast(Json, dict(room.fingerprint(case.project(), case.sample.options)))},
            artifacts=tuple(records),
            environment=environment_of(case.gathered),
        )
        env: Pairs = [(Entry(ENV_NAME, env_file(head.environment)), None)]
        path = case.folder / "b.tar.zst"
        write_bundle(
            path,
            head,
            [Section("", False, env), Section(room.name, room.opens_artifacts, entries)],
            read_blob=Store(case.folder / "store").chunks,
            jobs=1,
        )
        shelf = None if store is None else Shelf(Store(case.folder / store))
        with open_bundle(path) as bundle:
            bundle.verify(jobs=1)
            host = case.project().host
            return prove(bundle.manifest, in_bundle(bundle), [self.lock], shelf, host)


@pytest.fixture(params=sorted(SAMPLES))
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    return Made(Case(ROOMS[request.param], SAMPLES[request.param], tmp_path))


def test_as_packed(made: Made) -> None:
    """With the store that it was packed from, nothing remains open but what is not pinned."""
    found = made.prove(made.entries(), made.records(), "store")
    assert found.proven + len(found.unpinned) == len(made.records())
    assert found.proven and not found.opened and not found.absent
    assert {trust for _, trust in found.unpinned} <= {"registry", "lockfile"}


def test_as_packed_without_a_store(made: Made) -> None:
    found = made.prove(made.entries(), made.records(), None)
    opened = made.case.room.name in OPENED
    if made.case.room.name in MIXED:
        assert found.opened and found.proven
        return
    assert bool(found.opened) is opened
    assert bool(found.proven) is not opened


def exchanged(made: Made) -> Iterator[tuple[Pairs, list[dict[str, Json]], int]]:
    """Each file that comes from a pinned artifact, exchanged in turn."""
    entries, records = made.entries(), made.records()
    for place, (entry, number) in enumerate(entries):
        if number is not None and entry.content is not None:
            forged = replace(entry, content=b"other bytes")
            yield [*entries[:place], (forged, number), *entries[place + 1 :]], records, place


@contextmanager
def refused() -> Iterator[None]:
    with pytest.raises(IntegrityError) as caught:
        yield
    assert "in the bundle" in caught.value.what and caught.value.fix


def is_content(made: Made, entry: Entry) -> bool:
    """Whether it is what is installed, not what a room wrote to find it by."""
    text = made.case.bytes_of(entry) or b""
    name = entry.path.rpartition("/")[2]
    return not name.endswith((".http", ".idx", "revision.http")) and not text.startswith(b"cc=4")


def is_kept_whole(made: Made, entry: Entry, record: Mapping[str, Json]) -> bool:
    """Whether the bundle alone tells what the artifact was."""
    if made.case.room.name in MIXED:
        content = made.case.bytes_of(entry) or b""
        return bool(hashlib.sha256(content).hexdigest() == record["sha256"])
    return made.case.room.name not in OPENED


def test_an_exchanged_artifact_is_refused(made: Made) -> None:
    """The case that started it: other bytes, and all hashes of the bundle made anew."""
    pinned = made.prove(made.entries(), made.records(), "store")
    free = {name for name, _ in pinned.unpinned}
    tried = 0
    for entries, records, place in exchanged(made):
        entry, number = made.entries()[place]
        assert number is not None
        record = records[number]
        if f"{record['name']} {record['version']}" in free or not is_content(made, entry):
            continue
        tried += 1
        with refused():
            made.prove(entries, records, "store")
        new = entries[place][0]
        assert isinstance(new.content, bytes)
        if is_kept_whole(made, entry, record):
            with refused():
                made.prove(entries, records, None)
            # The record is made to fit the new bytes.
            fits: dict[str, Json] = {**record, "sha256": hashlib.sha256(new.content).hexdigest()}
            with refused():
                made.prove(entries, [*records[:number], fits, *records[number + 1 :]], None)
            # The file is said to come from nothing.
            orphan = [*entries]
            orphan[place] = (new, None)
            with refused():
                made.prove(orphan, records, None)
    assert tried


def test_an_artifact_that_the_lockfile_pins_otherwise(made: Made) -> None:
    """Bytes and record agree with each other, and not with the lockfile."""
    found = made.prove(made.entries(), made.records(), "store")
    free = {name for name, _ in found.unpinned}
    records = made.records()
    for number, record in enumerate(records):
        if f"{record['name']} {record['version']}" in free:
            continue
        digests: Json = ["sha256-" + "A" * 43 + "="]
        other: dict[str, Json] = {**record, "digests": digests, "trust": "registry"}
        with pytest.raises(IntegrityError, match="is not what the lockfile pins") as caught:
            made.prove(made.entries(), [*records[:number], other, *records[number + 1 :]], None)
        assert str(record["name"]) in caught.value.what


BY_PATH = {"bundler", "cargo", "gradle", "maven"}
"""Those whose clients take what lies at a path, and do not compare it with the lockfile again."""


def test_an_artifact_under_anothers_name(made: Made) -> None:
    """A file is said to come from a package that the lockfile does not know, or from a good one."""
    if made.case.room.name not in BY_PATH:
        return
    pinned = made.prove(made.entries(), made.records(), "store")
    free = {name for name, _ in pinned.unpinned}
    entries, records = made.entries(), made.records()
    tried = 0
    for place, (entry, number) in enumerate(entries):
        if number is None or entry.content is None:
            continue
        record, text = records[number], b"other bytes"
        if (
            f"{record['name']} {record['version']}" in free
            or record["sha256"] != hashlib.sha256(made.case.bytes_of(entry) or b"").hexdigest()
        ):
            continue
        tried += 1
        forged = replace(entry, content=text)
        stranger: dict[str, Json] = {
            **record,
            "name": "stranger",
            "trust": "registry",
            "sha256": hashlib.sha256(text).hexdigest(),
        }
        listed = [*records[:number], stranger, *records[number + 1 :]]
        with refused():
            made.prove([*entries[:place], (forged, number), *entries[place + 1 :]], listed, None)
        for other, good in enumerate(records):
            if other != number and good["format"] == record["format"]:
                lent = [*entries[:place], (forged, other), *entries[place + 1 :]]
                with refused():
                    made.prove(lent, records, None)
    assert tried


BESIDE: Mapping[str, Callable[[str], str]] = {
    "bundler": lambda path: path.replace(".gem", "-java.gem"),
    "gradle": lambda path: f"{path.rpartition('/')[0]}/other-1.0.jar",
    "maven": lambda path: f"{path.rpartition('/')[0]}/other-1.0.jar",
}
"""Where else in its package's own place a client would take a file from."""


def test_another_file_beside_a_good_one(made: Made) -> None:
    """It is said to come from the artifact that is there, and lies where that package's may."""
    beside = BESIDE.get(made.case.room.name)
    if beside is None:
        return
    entries, records = made.entries(), made.records()
    whole = [
        (entry, number)
        for entry, number in entries
        if number is not None and is_kept_whole(made, entry, records[number])
    ]
    assert whole
    for entry, number in whole:
        other = replace(entry, path=beside(entry.path), content=b"other bytes")
        with refused():
            made.prove([*entries, (other, number)], records, None)


# -- by the command line ---------------------------------------------------------------------


@pytest.fixture
def npm() -> Iterator[NpmRegistry]:
    registry = npm_registry()
    with registry.server:
        yield registry


def forge(bundle: Path, change: Callable[[Entry], Entry]) -> None:
    """The same bundle with other files and all hashes made anew."""
    entries: Pairs = []
    with open_bundle(bundle) as opened:
        head = opened.manifest.head
        reader = opened.reader()
        for frame in opened.frames:
            for file, content, _ in reader.files(frame):
                data = None if file.sha256 is None else bytes(content)
                entry = Entry(file.path.removesuffix("/"), data, file.mode)
                entries.append((change(entry), file.artifact))
    (room,) = head.layouts
    section = Section(room, False, entries)
    write_bundle(bundle, head, [section], read_blob=lambda blob: [], jobs=1)


def test_the_commands_refuse_an_exchanged_tarball(npm: NpmRegistry, tmp_path: Path) -> None:
    npm.lock(tmp_path / "project", {"a": "1.0.0", "b": "2.0.0"})
    cli = Cli(tmp_path)
    cli.ok("pack", "project")
    lock = ("--lockfile", "project/package-lock.json")
    done = cli.ok("verify", "deps.tar.zst", *lock)
    assert "2 artifacts as the lockfile pins them" in done.err
    cli.ok("unpack", "deps.tar.zst", "--prefix", "good", *lock)
    cli.ok("verify", "good", *lock)

    def change(entry: Entry) -> Entry:
        if "/content-v2/" in entry.path:
            return replace(entry, content=b"other bytes")
        return entry

    forge(tmp_path / "deps.tar.zst", change)
    cli.ok("verify", "deps.tar.zst")  # it is whole
    for done in (
        cli("verify", "deps.tar.zst", *lock),
        cli("unpack", "deps.tar.zst", "--prefix", "p", *lock),
        cli("unpack", "deps.tar.zst", *lock),
        cli("run", *lock, "deps.tar.zst", "--", "touch", "ran"),
    ):
        assert done.code == 8 and "a 1.0.0 in the bundle has other bytes" in done.err, done
    assert not (tmp_path / "p").exists() and not (tmp_path / "home/.npm").exists()
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen")
def test_what_cannot_be_compared_is_not_let_through(npm: NpmRegistry, tmp_path: Path) -> None:
    """pnpm's store has no archives. Where they are not at hand, somebody else must vouch."""
    project = tmp_path / "project"
    project.mkdir()
    integrity = sri(npm.publish("a", "1.0.0", {"index.js": b"honest"}))
    (project / ".npmrc").write_text(f"registry={npm.url}/\n")
    (project / "pnpm-lock.yaml").write_text(
        "lockfileVersion: '9.0'\n"
        "importers: {.: {dependencies: {a: {specifier: 1.0.0, version: 1.0.0}}}}\n"
        f"packages: {{a@1.0.0: {{resolution: {{integrity: {integrity}}}}}}}\n"
        "snapshots: {a@1.0.0: {}}\n"
    )
    lock = ("--lockfile", "project/pnpm-lock.yaml")
    allow(tmp_path / "signers", "ci", make_key(tmp_path, "key"))
    packer, stranger = Cli(tmp_path), Cli(tmp_path, store="another")
    packer.ok("pack", "project", "--sign", tmp_path / "key")
    packer.ok("verify", "deps.tar.zst", *lock)
    shutil.copy(tmp_path / "deps.tar.zst", tmp_path / "forged.tar.zst")

    def change(entry: Entry) -> Entry:
        return replace(entry, content=b"evil") if entry.content == b"honest" else entry

    forge(tmp_path / "forged.tar.zst", change)
    packer.ok("verify", "forged.tar.zst")  # it is whole
    assert packer("verify", "forged.tar.zst", *lock).code == 8
    for bundle in ("deps.tar.zst", "forged.tar.zst"):
        for command in (
            ("verify", bundle, *lock),
            ("unpack", bundle, "--prefix", "p", *lock),
            ("unpack", bundle, *lock),
            ("run", *lock, bundle, "--", "touch", "ran"),
        ):
            done = stranger(*command)
            assert done.code == 15 and not done.out, done
            assert "1 artifact could not be compared with the lockfile" in done.err
            assert "local store as they came: a 1.0.0" in done.err and "all as" not in done.err
        assert not (tmp_path / "p").exists() and not (tmp_path / "ran").exists()
        assert stranger("verify", bundle, "--json", *lock).json["exit_code"] == 15
    allowed = stranger.ok("verify", "deps.tar.zst", *lock, "--allow-unproven", "--json")
    assert allowed.json["lockfile"] == {
        "proven": 0,
        "not_compared": ["a 1.0.0"],
        "not_pinned": {},
    }
    signers = ("--signers", "signers", "--signature", "deps.tar.zst.sig")
    done = stranger.ok("verify", "deps.tar.zst", *lock, *signers)
    assert "whoever signed vouches for: a 1.0.0" in done.err
    assert stranger("verify", "forged.tar.zst", *lock, *signers).code == 13
    stranger.ok("unpack", "deps.tar.zst", "--prefix", "p", "--allow-unproven", *lock)
    assert stranger("verify", "p", *lock).code == 15
    packer.ok("verify", "p", *lock)
