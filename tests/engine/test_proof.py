"""A bundle of every room, held against its lockfile: as packed, and with an exchanged artifact."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from tests.cli import Cli
from tests.formats.samples import SAMPLES
from tests.world.npm import NpmRegistry, npm_registry
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
from vendorpack.pack import Shelf, artifact_record
from vendorpack.proof import Proof, prove
from vendorpack.store.local import Store

ROOMS = {room.name: room for room in BUILTIN}
Pairs = list[tuple[Entry, int | None]]
OPENED = {"pnpm", "bun", "deno", "uv"}
"""Those whose archives are not in the bundle: the store is asked for them."""


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
            environment=case.gathered.environment,
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
    assert found.proven and not found.unseen
    assert {trust for _, trust in found.unpinned} <= {"registry", "lockfile"}


def test_as_packed_without_a_store(made: Made) -> None:
    found = made.prove(made.entries(), made.records(), None)
    opened = made.case.room.name in OPENED
    assert bool(found.unseen) is opened
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
        if made.case.room.name not in OPENED:
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
                entry = Entry(file.path, bytes(content), file.mode)
                entries.append((change(entry), file.artifact))
    section = Section("npm", False, entries)
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
