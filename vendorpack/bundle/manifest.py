"""The manifest, `vendorpack.json`: everything a bundle holds, in one canonical form.

`Manifest.dump` and `Manifest.parse` are each other's inverse, byte for byte, so the sha256 of
the text (the bundle's *id*) stands for the whole tree. `vendorpack.bundle` lists the fields.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final, NoReturn

from vendorpack.bundle import tar
from vendorpack.bundle.frames import MAX_FRAME, Buffer
from vendorpack.bundle.records import (
    DECODER,
    Record,
    Records,
    as_records,
    canonical,
    read_records,
)
from vendorpack.bundle.table import File, Files, read_row, tree_of
from vendorpack.dataclass import dataclass
from vendorpack.errors import BundleError, UnsupportedError
from vendorpack.files.paths import PathError, check_path
from vendorpack.model import (
    FILE_MODES,
    FOLDER_MODES,
    Arguments,
    Base,
    Environment,
    Json,
    Variable,
    Word,
)

BUNDLE_FORMAT: Final = 1
ENVIRONMENT_PATH: Final = "vendorpack.env"

_MAX_SIZE: Final = 1 << 50
_HEX256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_FIELDS = {
    "artifacts",
    "environment",
    "files",
    "frames",
    "key",
    "layouts",
    "lockfiles",
    "mtime",
    "options",
    "vendorpack",
}
_BLOCK: Final = 4096
"""Rows of the file table that are turned into text at a time."""
_DELTA_FIELDS = {"base", "files", "frames"}


@dataclass(frozen=True, slots=True)
class LockfileHash:
    """A lockfile that the bundle was made from: its path below the root and hex sha256."""

    path: str
    format: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Head:
    """The part of the manifest that is known before the first file.

    layouts: format to its layout version. options, artifacts: JSON that the engine's caller
    makes and reads; objects with string keys, no floating-point numbers. Many artifacts are
    `Records`.
    """

    key: str
    lockfiles: tuple[LockfileHash, ...]
    layouts: Mapping[str, int]
    options: Mapping[str, Json]
    artifacts: Sequence[Mapping[str, Json]]
    environment: Environment


@dataclass(frozen=True, slots=True)
class Delta:
    """What makes a bundle a delta: the rest of its files are in another bundle.

    base: id of that bundle, which has them under the same paths. frames: bytes of tar in each
    of the delta's own frames. files: which rows of the manifest's files the delta holds,
    ascending.
    """

    base: str
    frames: tuple[int, ...]
    files: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A bundle's whole content.

    mtime: seconds, of every member. frames: bytes of tar in each frame between the one that
    holds the manifest and the one that ends the tar. files: in the order of the tar. A
    delta's manifest is that of the full bundle, and says what of it is in the delta.
    """

    head: Head
    mtime: int
    frames: tuple[int, ...]
    files: Sequence[File]
    delta: Delta | None = None

    def full(self) -> Manifest:
        """The manifest of the full bundle: this one, unless it is a delta's."""
        return self if self.delta is None else replace(self, delta=None)

    def held(self) -> tuple[tuple[int, ...], Sequence[File]]:
        """The frames and the files of the bundle itself, which a delta has fewer of."""
        if self.delta is None:
            return self.frames, self.files
        return self.delta.frames, Files(self.files[index] for index in self.delta.files)

    def dump(self) -> bytes:
        """The canonical text: sorted keys, no white space, UTF-8, one line feed at the end."""
        text = io.BytesIO()
        text.writelines(self.pieces())
        return text.getvalue()

    def id(self) -> str:
        """The id of the bundle with this manifest."""
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()

    def pieces(self) -> Iterator[bytes]:
        """The canonical text in pieces: with many files it is as large as all else in memory."""
        yield from self._before_files()
        for start in range(0, len(self.files), _BLOCK):
            rows = canonical(self.files[start : start + _BLOCK])[1:-1]
            yield b"," + rows if start else rows
        yield self._behind_files()

    def _before_files(self) -> Iterator[bytes]:
        """The canonical text before the rows of `files`, in pieces."""
        texts = as_records(self.head.artifacts).texts
        yield b'{"artifacts":['
        for start in range(0, len(texts), _BLOCK):
            some = b",".join(texts[start : start + _BLOCK])
            yield b"," + some if start else some
        value: dict[str, Any] = {"environment": _environment_rows(self.head.environment)}
        if self.delta is not None:
            value["delta"] = {
                "base": self.delta.base,
                "files": self.delta.files,
                "frames": self.delta.frames,
            }
        yield b"]," + canonical(value)[1:-1] + b',"files":['

    def _behind_files(self) -> bytes:
        """The canonical text behind the rows of `files`."""
        head = self.head
        value: dict[str, Any] = {
            "frames": self.frames,
            "key": head.key,
            "layouts": dict(head.layouts),
            "lockfiles": [
                {"format": lock.format, "path": lock.path, "sha256": lock.sha256}
                for lock in head.lockfiles
            ],
            "mtime": self.mtime,
            "options": dict(head.options),
            "vendorpack": BUNDLE_FORMAT,
        }
        return b"]," + canonical(value)[1:] + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Read a manifest, strictly. Raises `BundleError`."""
        try:
            value, rows = _load(data)
        except BundleError:
            _refuse_newer(_any_version(data))
            raise
        version = value.get("vendorpack")
        _refuse_newer(version)
        known = value.keys() - {"delta"} == _FIELDS
        if type(version) is not int or version != BUNDLE_FORMAT or not known:
            _bad("it has not the fields of bundle format 1")
        head = Head(
            key=_hex(value["key"], "key"),
            lockfiles=tuple(_lockfile(row) for row in _list(value["lockfiles"], "lockfiles")),
            layouts={
                _text(name, "layouts"): _whole(number, "layouts", 1 << 31)
                for name, number in _object(value["layouts"], "layouts").items()
            },
            options=_object(value["options"], "options"),
            artifacts=value["artifacts"],
            environment=_environment(value["environment"]),
        )
        manifest = cls(
            head=head,
            mtime=_whole(value["mtime"], "mtime", tar.MAX_MTIME),
            frames=_frames(value["frames"]),
            files=value["files"],
            delta=_delta(value["delta"], len(value["files"])) if "delta" in value else None,
        )
        try:
            # What is between was read in the canonical form, and no other.
            is_canonical = rows == manifest._rows_in(data)
        except (ValueError, RecursionError):  # a lone surrogate, or too deep
            is_canonical = False
        if not is_canonical:
            _bad("it is not in the canonical form")
        return manifest

    def _rows_in(self, data: bytes) -> tuple[int, int] | None:
        """Where the rows of `files` begin and end, if all else is as it would be written."""
        start = 0
        for piece in self._before_files():
            if not data.startswith(piece, start):
                return None
            start += len(piece)
        behind = self._behind_files()
        return (start, len(data) - len(behind)) if data.endswith(behind) else None

    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


def check_head(head: Head, mtime: int) -> None:
    """Raise `UnsupportedError` for a head that no reader would take.

    What comes from lockfiles (names, paths, addresses) may be any text.
    """
    with _unsupported():
        artifacts = as_records(head.artifacts)
        if any(
            canonical(read) != text for read, text in zip(artifacts, artifacts.texts, strict=True)
        ):
            _bad("an artifact is not read as it is written")
        Manifest.parse(Manifest(replace(head, artifacts=()), mtime, (), ()).dump())


def records_of(artifacts: Iterable[Record]) -> Records:
    """What a head has of the artifacts. Raises `UnsupportedError` for what no bundle can hold."""
    with _unsupported():
        return Records(artifacts)


@contextmanager
def _unsupported() -> Iterator[None]:
    try:
        yield
    except (BundleError, ValueError, TypeError, RecursionError) as error:
        raise UnsupportedError(f"no bundle can be made of this: {error}") from None


def manifest_id(data: Buffer) -> str:
    """The id of the bundle whose manifest has these bytes."""
    return hashlib.sha256(data).hexdigest()


# -- strict reading ------------------------------------------------------------------------


def _bad(why: str) -> NoReturn:
    raise BundleError(f"the bundle's manifest is not valid: {why}")


def _refuse_newer(version: object) -> None:
    if type(version) is int and version > BUNDLE_FORMAT:
        raise BundleError(
            f"the bundle was made by a newer vendorpack (bundle format {version}, "
            f"this one knows {BUNDLE_FORMAT})",
            fix="Update vendorpack here, or pack again with this version.",
        )


def _any_version(data: bytes) -> object:
    """The format's number in a manifest that we cannot read; None if there is none."""
    try:
        return _object(json.loads(data), "manifest").get("vendorpack")
    except (ValueError, RecursionError, BundleError):
        return None


def _load(data: bytes) -> tuple[dict[str, Any], tuple[int, int]]:
    """The fields, `files` as a table, and where its rows begin and end.

    The table is read row by row: all at once its JSON takes five times the memory.
    """
    value: dict[str, Any] = {}
    try:
        start = _fields(data.decode(), value)
        if data[:1] != b"{" or data[start - 1 : start] != b"[":
            raise ValueError("no table of files")
        value["files"], stop = _files(data, start, len(value.get("artifacts", ())))
        _fields(data[stop + 1 :].decode(), value)
    except (ValueError, RecursionError) as error:
        _bad(f"not JSON as expected ({str(error)[:80]})")
    return value, (start, stop)


def _fields(text: str, value: dict[str, Any]) -> int:
    """Read an object's fields, behind its `{` or a `,`, and put them into `value`.

    Ends where the object does, or within `files`: how many bytes of the text are before its rows.
    Raises `ValueError`.
    """
    at = 1
    while True:
        key, at = DECODER.raw_decode(text, at)
        if type(key) is not str or text[at : at + 1] != ":":
            raise ValueError("not an object")
        if key == "files":
            return len(text[: at + 2].encode())
        read = read_records if key == "artifacts" else DECODER.raw_decode
        value[key], at = read(text, at + 1)
        if text[at : at + 1] != ",":
            return len(text[:at].encode())
        at += 1


def _object(value: Any, name: str) -> dict[str, Any]:
    if type(value) is not dict:
        _bad(f"{name}: not an object")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if type(value) is not list:
        _bad(f"{name}: not a list")
    return value


def _text(value: Any, name: str) -> str:
    if type(value) is not str or len(value) > 65536 or _CONTROL.search(value):
        _bad(f"{name}: not a plain text")
    return value


def _hex(value: Any, name: str) -> str:
    if type(value) is not str or not _HEX256.fullmatch(value):
        _bad(f"{name}: not a sha256")
    return value


def _whole(value: Any, name: str, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        _bad(f"{name}: not a number from 0 to {most}")
    return value


def _path(value: Any, name: str) -> str:
    path = _text(value, name)
    try:
        check_path(path)
    except PathError as error:
        _bad(f"{name}: {path!r}: {error}")
    return path


def _lockfile(value: Any) -> LockfileHash:
    row = _object(value, "lockfiles")
    if row.keys() != {"format", "path", "sha256"}:
        _bad("lockfiles: other fields than expected")
    return LockfileHash(
        path=_text(row["path"], "lockfiles"),
        format=_text(row["format"], "lockfiles"),
        sha256=_hex(row["sha256"], "lockfiles"),
    )


def _environment_rows(environment: Environment) -> dict[str, Any]:
    rows: dict[str, Any] = {
        "git": [list(pair) for pair in environment.git_sources],
        "variables": [
            {"name": v.name, "path": v.is_path, "value": v.value}
            | ({"scheme": v.scheme} if v.scheme else {})
            for v in environment.variables
        ],
    }
    if environment.arguments:
        rows["arguments"] = [
            {
                "name": arguments.name,
                "words": [[w.text, w.base or "", w.path] for w in arguments.words],
            }
            for arguments in environment.arguments
        ]
    return rows


def _environment(value: Any) -> Environment:
    fields = _object(value, "environment")
    if fields.keys() - {"arguments"} != {"git", "variables"}:
        _bad("environment: other fields than expected")
    variables = []
    for row in _list(fields["variables"], "variables"):
        variable = _object(row, "variables")
        known = variable.keys() - {"scheme"} == {"name", "path", "value"}
        if not known or type(variable["path"]) is not bool:
            _bad("variables: other fields than expected")
        if "scheme" in variable and (variable["scheme"] != "file://" or not variable["path"]):
            _bad("variables: a scheme other than file://, or of no path")
        name = _variable_name(variable["name"])
        text = _text(variable["value"], name)
        if variable["path"] and text:
            _path(text, name)
        variables.append(Variable(name, text, variable["path"], variable.get("scheme", "")))
    sources = []
    for row in _list(fields["git"], "git"):
        pair = _list(row, "git")
        if len(pair) != 2:
            _bad("git: not pairs")
        sources.append((_text(pair[0], "git"), _path(pair[1], "git")))
    arguments = tuple(_arguments(row) for row in _list(fields.get("arguments", []), "arguments"))
    return Environment(tuple(variables), tuple(sources), arguments)


def _variable_name(value: Any) -> str:
    name = _text(value, "variables")
    if not _NAME.fullmatch(name):
        _bad(f"variables: {name!r} is not the name of a variable")
    return name


def _arguments(value: Any) -> Arguments:
    row = _object(value, "arguments")
    if row.keys() != {"name", "words"}:
        _bad("arguments: other fields than expected")
    name = _variable_name(row["name"])
    words = []
    for parts in _list(row["words"], name):
        triple = [_text(part, name) for part in _list(parts, name)]
        if len(triple) != 3 or triple[1] not in ("", *Base) or (not triple[1] and triple[2]):
            _bad(f"arguments: {name} has a word that is none")
        text, base, path = triple
        if any(character.isspace() for character in text + path):
            _bad(f"arguments: {name} has a word with a space in it")
        words.append(Word(text, Base(base) if base else None, _path(path, name) if path else ""))
    return Arguments(name, tuple(words))


def _frames(sizes: Any) -> tuple[int, ...]:
    return tuple(_whole(size, "frames", MAX_FRAME) for size in _list(sizes, "frames"))


def _delta(value: Any, files: int) -> Delta:
    fields = _object(value, "delta")
    if fields.keys() != _DELTA_FIELDS:
        _bad("delta: other fields than expected")
    indexes = tuple(_whole(index, "delta", files - 1) for index in _list(fields["files"], "delta"))
    if any(index >= after for index, after in pairwise(indexes)):
        _bad("delta: its files are not in order")
    return Delta(_hex(fields["base"], "delta"), _frames(fields["frames"]), indexes)


def _files(data: bytes, at: int, artifacts: int) -> tuple[Files, int]:
    """The rows that stand in `data` from `at` on, and where they end."""
    files = Files()
    tree = tree_of(files)
    while data[at : at + 1] != b"]":
        if files:
            if data[at : at + 1] != b",":
                _bad("files: not a list")
            at += 1
        row = read_row(data, at)
        if row is None:
            _bad(f"files: row {len(files)} is not a path, a size, a mode, a hash and an owner")
        file, at = row
        path, size, mode, sha256, artifact = file
        if sha256 is None:
            good = path[-1:] == "/" and size == 0 and mode in FOLDER_MODES
        else:
            good = mode in FILE_MODES
        if not good or size > _MAX_SIZE or (artifact is not None and artifact >= artifacts):
            _bad(f"files: {path!r} has a size, mode, hash or artifact that cannot be")
        try:
            tree.add(path[:-1] if sha256 is None else path)
        except PathError as error:
            _bad(f"files: {path!r}: {error}")
        files.append(file)
    return files, at
