"""The manifest, `vendorpack.json`: everything a bundle holds, in one canonical form.

`Manifest.dump` and `Manifest.parse` are each other's inverse, byte for byte, so the sha256 of
the text (the bundle's *id*) stands for the whole tree. `vendorpack.bundle` lists the fields.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import NoneType
from typing import Any, Final, NamedTuple, NoReturn

from vendorpack.bundle import tar
from vendorpack.bundle.frames import MAX_FRAME
from vendorpack.errors import BundleError, UnsupportedError
from vendorpack.files.paths import PathError, Tree, check_path
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
MANIFEST_PATH: Final = "vendorpack.json"
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
_DELTA_FIELDS = {"base", "files", "frames"}


class File(NamedTuple):
    """A row of the file table: a regular file, or a folder that is empty.

    path: relative to the prefix; a folder's ends with `/`.
    sha256: hex; None for a folder.
    artifact: index into the manifest's artifacts; None for what a room made up.
    """

    path: str
    size: int
    mode: int
    sha256: str | None
    artifact: int | None


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
    makes and reads; objects with string keys, no floating-point numbers.
    """

    key: str
    lockfiles: tuple[LockfileHash, ...]
    layouts: Mapping[str, int]
    options: Mapping[str, Json]
    artifacts: tuple[Mapping[str, Json], ...]
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
    files: tuple[File, ...]
    delta: Delta | None = None

    def full(self) -> Manifest:
        """The manifest of the full bundle: this one, unless it is a delta's."""
        return self if self.delta is None else replace(self, delta=None)

    def held(self) -> tuple[tuple[int, ...], tuple[File, ...]]:
        """The frames and the files of the bundle itself, which a delta has fewer of."""
        if self.delta is None:
            return self.frames, self.files
        return self.delta.frames, tuple(self.files[index] for index in self.delta.files)

    def dump(self) -> bytes:
        """The canonical text: sorted keys, no white space, UTF-8, one line feed at the end."""
        head = self.head
        value: dict[str, Any] = {
            "artifacts": [dict(artifact) for artifact in head.artifacts],
            "environment": _environment_rows(head.environment),
            "files": self.files,
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
        if self.delta is not None:
            value["delta"] = {
                "base": self.delta.base,
                "files": self.delta.files,
                "frames": self.delta.frames,
            }
        text = json.dumps(
            value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
        )
        return text.encode() + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Read a manifest, strictly. Raises `BundleError`."""
        value = _load(data)
        version = value.get("vendorpack")
        if type(version) is int and version > BUNDLE_FORMAT:
            raise BundleError(
                f"the bundle was made by a newer vendorpack (bundle format {version}, "
                f"this one knows {BUNDLE_FORMAT})",
                fix="Update vendorpack here, or pack again with this version.",
            )
        known = value.keys() - {"delta"} == _FIELDS
        if type(version) is not int or version != BUNDLE_FORMAT or not known:
            _bad("it has not the fields of bundle format 1")
        artifacts = _list(value["artifacts"], "artifacts")
        if not all(type(artifact) is dict for artifact in artifacts):
            _bad("an artifact is not an object")
        head = Head(
            key=_hex(value["key"], "key"),
            lockfiles=tuple(_lockfile(row) for row in _list(value["lockfiles"], "lockfiles")),
            layouts={
                _text(name, "layouts"): _whole(number, "layouts", 1 << 31)
                for name, number in _object(value["layouts"], "layouts").items()
            },
            options=_object(value["options"], "options"),
            artifacts=tuple(artifacts),
            environment=_environment(value["environment"]),
        )
        manifest = cls(
            head=head,
            mtime=_whole(value["mtime"], "mtime", tar.MAX_MTIME),
            frames=_frames(value["frames"]),
            files=_files(_list(value["files"], "files"), len(artifacts)),
            delta=_delta(value["delta"], len(value["files"])) if "delta" in value else None,
        )
        try:
            canonical = manifest.dump() == data
        except (ValueError, RecursionError):  # a lone surrogate, or too deep
            canonical = False
        if not canonical:
            _bad("it is not in the canonical form")
        return manifest

    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


def check_head(head: Head, mtime: int) -> None:
    """Raise `UnsupportedError` for a head that no reader would take.

    What comes from lockfiles (names, paths, addresses) may be any text.
    """
    try:
        Manifest.parse(Manifest(head, mtime, (), ()).dump())
    except (BundleError, ValueError, TypeError, RecursionError) as error:
        raise UnsupportedError(f"no bundle can be made of this: {error}") from None


def manifest_id(data: bytes) -> str:
    """The id of the bundle whose manifest has these bytes."""
    return hashlib.sha256(data).hexdigest()


# -- strict reading ------------------------------------------------------------------------


def _bad(why: str) -> NoReturn:
    raise BundleError(f"the bundle's manifest is not valid: {why}")


def _load(data: bytes) -> dict[str, Any]:
    def no_number(text: str) -> NoReturn:
        raise ValueError(f"{text[:20]} is no whole number")

    try:
        value = json.loads(data.decode(), parse_float=no_number, parse_constant=no_number)
    except (ValueError, RecursionError) as error:
        _bad(f"not JSON as expected ({str(error)[:80]})")
    return _object(value, "manifest")


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


def _files(rows: Sequence[Any], artifacts: int) -> tuple[File, ...]:
    if not rows:
        return ()
    # Column by column: there may be a hundred thousand rows.
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {5}:
        _bad("files: a row is not a list of five")
    files = tuple(map(File._make, rows))
    paths, sizes, modes, hashes, owners = zip(*files, strict=True)
    if (
        set(map(type, paths)) != {str}
        or set(map(type, sizes)) != {int}
        or set(map(type, modes)) != {int}
        or not set(map(type, hashes)) <= {str, NoneType}
        or not set(map(type, owners)) <= {int, NoneType}
    ):
        _bad("files: a row has other types than expected")
    numbers = set(owners) - {None}
    if min(sizes) < 0 or max(sizes) > _MAX_SIZE or not numbers <= set(range(artifacts)):
        _bad("files: a size or an artifact that cannot be")
    tree = Tree()
    tree.add(MANIFEST_PATH)
    hex256 = _HEX256.fullmatch
    for path, size, mode, sha256, _ in files:
        if sha256 is None:
            good = path[-1:] == "/" and size == 0 and mode in FOLDER_MODES
        else:
            good = mode in FILE_MODES and hex256(sha256) is not None
        if not good:
            _bad(f"files: {path!r} has a size, mode or hash that cannot be")
        try:
            tree.add(path[:-1] if sha256 is None else path)
        except PathError as error:
            _bad(f"files: {path!r}: {error}")
    return files
