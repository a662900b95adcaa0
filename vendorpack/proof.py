"""What a lockfile says of a bundle's content, artifact by artifact.

A bundle's own hashes prove that it is whole; whoever made it could have made them for anything.
Here the room reads the lockfile again, and each artifact of the bundle is held against its pins::

    lockfile ─▶ pins ─┐
    manifest ─▶ artifacts ─▶ their files ─▶ the pinned digest, over the bytes in the bundle

An archive that is in the bundle as it came (or in a form that its digest is over) is hashed. One
that was opened is laid out again from the local store, if that has it; else it cannot be compared,
which is said. What the lockfile does not pin is listed with who vouched for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from vendorpack.boundary import Boundary, compiled
from vendorpack.bundle.manifest import Head, Manifest
from vendorpack.bundle.pieces import Pieces
from vendorpack.bundle.table import File
from vendorpack.dataclass import dataclass
from vendorpack.digest import SIZES, Digest, Hashers, Integrity
from vendorpack.errors import BundleError, IntegrityError, VendorpackError
from vendorpack.formats import boundary_of, load
from vendorpack.key import hash_lockfile
from vendorpack.model import Artifact, Blob, Options, Packed, Slice
from vendorpack.project import Host, Project
from vendorpack.room import Format, Workshop
from vendorpack.target import parse_target

_FIX = "Do not use the bundle: it is not what the lockfile pins. Pack the lockfile again."


@dataclass(slots=True)
class Proof:
    """What came of it.

    unpinned: (artifact, who vouched). opened: those that are pinned, but lie in the bundle in a
    form that tells nothing of that hash, and of which the local store has no original. absent:
    those that a delta leaves to a base that is not at hand.
    """

    proven: int = 0
    unpinned: list[tuple[str, str]] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def prove(
    manifest: Manifest,
    pieces: Pieces,
    lockfiles: Sequence[Path],
    workshop: Shelf | None,
    host: Host,
    absent: frozenset[str] = frozenset(),
) -> Proof:
    """Hold a bundle against lockfiles that it was made for.

    absent: paths that a delta leaves to its base: what lies there cannot be compared here.
    Raises `IntegrityError` for an artifact that is not the pinned one, or a file that is none;
    `BundleError` for pieces that are not as the manifest has them.
    """
    head = manifest.head
    pins = _pins(head, lockfiles, host)
    owned: dict[int, list[File]] = {}
    for file in manifest.files:
        if file.artifact is not None and file.sha256 is not None:
            owned.setdefault(file.artifact, []).append(file)
    proof = Proof()
    tasks: list[_Task] = []
    for number, record in enumerate(head.artifacts):
        name = f"{record.get('name')} {record.get('version')}"
        room = str(record.get("format"))
        found = pins.get((room, str(record.get("name")), str(record.get("version"))), [])
        found = [artifact for artifact in found if artifact.integrity]
        if not found:
            proof.unpinned.append((name, str(record.get("trust"))))
            continue
        stated = _digests(record)
        artifact = next((a for a in found if stated & {*a.integrity.strongest}), None)
        if artifact is None:
            raise IntegrityError(
                f"{name} in the bundle is not what the lockfile pins",
                where=f"{found[0].where}\npinned  {found[0].integrity}\n"
                f"bundle  {' '.join(sorted(map(str, stated)))}",
                fix=_FIX,
            )
        tasks.append(_Task(artifact, load(room), str(record.get("sha256")), owned.get(number, [])))
    _no_strangers(manifest)
    _compare(tasks, pieces, workshop, proof, absent)
    return proof


# -- the lockfile's side -------------------------------------------------------------------


def _pins(
    head: Head, lockfiles: Sequence[Path], host: Host
) -> dict[tuple[str, str, str], list[Artifact]]:
    """(format, name, version) to what the lockfiles pin under it."""
    pins: dict[tuple[str, str, str], list[Artifact]] = {}
    for path in lockfiles:
        sha256 = hash_lockfile(path.read_bytes())
        for row in head.lockfiles:
            if row.sha256 != sha256 or row.path not in head.options:
                continue  # a companion, which its lockfile reads
            if boundary_of(row.format) is None:
                continue
            project = Project(path.parent, PurePosixPath(path.name), host)
            for artifact in _read(load(row.format), project, _options(head.options[row.path])):
                key = (row.format, artifact.name, artifact.version)
                pins.setdefault(key, []).append(artifact)
    return pins


def _read(room: Format, project: Project, asked: Options) -> set[Artifact]:
    """What the lockfile pins for what the bundle says was asked for, and for all platforms.

    The bundle's word alone could keep a pin from being looked at.
    """
    found: set[Artifact] = set()
    failures = []
    for options in (asked, Options(groups=asked.groups)):
        try:
            found.update(room.read(project, options).artifacts)
        except VendorpackError as error:
            failures.append(error)
    if len(failures) > 1:
        raise failures[0]
    return found


def _options(record: Any) -> Options:
    """What was asked for, as far as all rooms record it alike."""
    fields = record if isinstance(record, dict) else {}
    targets, groups = fields.get("targets", []), fields.get("groups", [])
    return Options(
        targets=tuple(parse_target(str(text)) for text in targets),
        dev=fields.get("dev") is not False,
        groups=tuple(map(str, groups)),
    )


def _digests(record: Mapping[str, Any]) -> set[Digest]:
    found: set[Digest] = set()
    listed = record.get("digests")
    for text in listed if isinstance(listed, list) else []:
        with contextlib.suppress(ValueError):
            found.add(Digest.parse(str(text)))
    return found


# -- the bundle's side ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Task:
    """A pinned artifact, and the files of the bundle that say they come from it."""

    artifact: Artifact
    room: Format
    sha256: str
    files: list[File]

    @property
    def whole(self) -> list[File]:
        """The files that may be the artifact itself, or the form that its digest is over."""
        same = [file for file in self.files if file.sha256 == self.sha256]
        if same or all(digest.streamed for digest in self.artifact.integrity.strongest):
            return same
        return self.files if len(self.files) <= 2 else []

    def strays(self, proven: Container[str]) -> list[File]:
        """Those of its files that lie where only artifacts do, and are not among the proven."""
        boundary = boundary_of(self.room.name)
        if boundary is None or self.room.opens(self.artifact):
            return []
        within = _within_artifacts(boundary)
        return [f for f in self.files if f.path not in proven and within(f.path, None)]

    @property
    def is_kept_whole(self) -> bool:
        """Whether the bundle must have the artifact as it came."""
        streamed = all(digest.streamed for digest in self.artifact.integrity.strongest)
        return streamed and not self.room.opens(self.artifact)


def _no_strangers(manifest: Manifest) -> None:
    """Refuse a file that lies where only artifacts do, and comes from none, or from another."""
    for name in manifest.head.layouts:
        boundary = boundary_of(name)
        if boundary is None or not boundary.artifacts:
            continue
        room = load(name)
        within = _within_artifacts(boundary)
        for file in manifest.files:
            if file.sha256 is None or not within(file.path, None):
                continue
            if file.artifact is None:
                raise IntegrityError(
                    f"{file.path!r} in the bundle comes from no artifact", fix=_FIX
                )
            record = manifest.head.artifacts[file.artifact]
            package, version = str(record.get("name")), str(record.get("version"))
            if record.get("format") == name and not room.is_place_of(file.path, package, version):
                raise IntegrityError(
                    f"{file.path!r} in the bundle is said to be {package} {version}", fix=_FIX
                )


def _within_artifacts(boundary: Boundary) -> Callable[[str, str | None], bool]:
    """Whether a path is one where only artifacts lie."""
    within = compiled(Boundary(paths=boundary.artifacts))
    made = compiled(Boundary(paths=boundary.made))
    return lambda path, sha256: within(path, sha256) and not made(path, sha256)


def _compare(
    tasks: Sequence[_Task],
    pieces: Pieces,
    workshop: Shelf | None,
    proof: Proof,
    absent: frozenset[str],
) -> None:
    wanted = {file.path: file for task in tasks for file in task.whole}
    by_path = {file.path: task for task in tasks for file in task.whole}
    values: dict[str, dict[str, bytes]] = {}
    with tempfile.TemporaryDirectory(prefix="vendorpack-") as folder:
        kept = Path(folder, "file")
        for file, content in _whole(pieces, wanted, by_path, kept):
            values[file.path] = content
    proven: set[tuple[str, Integrity]] = set()
    for task in tasks:
        seen = [file.path for file in task.whole if file.path in values]
        accepted = [path for path in seen if _accepts(task.artifact, values[path])]
        if accepted:
            if task.strays(accepted):
                raise _exchanged(task)
            proof.proven += 1
        elif not task.files and (task.room.name, task.artifact.integrity) in proven:
            proof.proven += 1  # the same from another address: its files lie there once
        elif seen:
            raise _exchanged(task)
        elif any(file.path in absent for file in task.files):
            proof.absent.append(str(task.artifact))
        elif task.files and workshop is not None and _laid_out(task, workshop):
            proof.proven += 1
            proven.add((task.room.name, task.artifact.integrity))
        elif task.is_kept_whole:
            raise _exchanged(task)
        else:
            proof.opened.append(str(task.artifact))


def _whole(
    pieces: Pieces, wanted: Mapping[str, File], tasks: Mapping[str, _Task], kept: Path
) -> Iterator[tuple[File, dict[str, bytes]]]:
    """Each wanted file with its values of the pinned algorithms."""
    done = 0
    hashers = Hashers()
    for file, content in pieces(wanted):
        task = tasks[file.path]
        algorithms = task.artifact.integrity.algorithms
        derived = [a for a in algorithms if a not in SIZES]
        if done == 0:
            hashers = Hashers(algorithms)
        hashers.update(content)
        if derived:
            with kept.open("r+b" if done else "wb") as out:
                out.seek(done)
                out.write(content)
        done += len(content)
        if done < file.size:
            continue
        done = 0
        found = hashers.values()
        if found["sha256"].hex() != file.sha256:
            raise BundleError(f"{file.path!r} is not as the manifest has it")
        for algorithm in derived:
            try:
                found[algorithm] = task.room.derive_stored(task.artifact, algorithm, kept)
            except NotImplementedError:
                break  # this form does not tell
            except VendorpackError as error:
                raise _exchanged(task, error.what) from None
        else:
            yield file, found


def _accepts(artifact: Artifact, values: Mapping[str, bytes]) -> bool:
    strongest = artifact.integrity.strongest
    return any(values.get(digest.algorithm) == digest.value for digest in strongest)


def _laid_out(task: _Task, workshop: Shelf) -> bool:
    """Whether the store has the artifact; then its files must be what it is laid out to."""
    blob = workshop.find(task.artifact.integrity)
    if blob is None:
        return False
    try:
        made = {
            entry.path: _sha256(entry.content)
            for entry in task.room.layout([Packed(task.artifact, blob)], workshop)
            if entry.artifact is not None and entry.content is not None
        }
    except (VendorpackError, AssertionError, LookupError):
        return False  # what locating adds is missing
    for file in task.files:
        if made.get(file.path) != file.sha256:
            raise _exchanged(task, file.path)
    return True


def _sha256(content: Blob | Slice | bytes) -> str:
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else content.sha256


def _exchanged(task: _Task, why: str = "") -> IntegrityError:
    return IntegrityError(
        f"{task.artifact} in the bundle has other bytes than the lockfile pins",
        where="\n".join(filter(None, (task.artifact.where, why))),
        fix=_FIX,
    )


class Shelf(Workshop, Protocol):
    """A workshop that can also look for verified artifacts."""

    def find(self, integrity: Integrity) -> Blob | None:
        """The artifact with these digests, hashed anew; None if it is not here."""
        ...
