"""The side lock: which wheels sources are built with, so that packing again gives the same bytes.

No Python lock pins what a source needs to be built. This file does; it is written beside the
lockfile, read when it is there, and may be edited and commented as any TOML::

    version = 1
    targets = ["linux-x86_64-gnu-py3.12"]

    [[source]]
    name = "docopt"
    version = "0.6.2"
    pin = "49b3a825280bd66b3aa83585ef59c4a8c82f2c8a522dbe754a8bc8d08c85c491"
    requires = ["setuptools>=40.8.0", "wheel"]

    [[wheel]]
    filename = "setuptools-80.9.0-py3-none-any.whl"
    url = "https://files.example/setuptools-80.9.0-py3-none-any.whl"
    sha256 = "062d34222ad13e0cc312a4c02d73f059e86a4acbfbdea8f8f76b28c99f306922"
    size = 1201486
    for = ["docopt 0.6.2"]

`pin` is the sdist's sha256 or the commit. A project of the user's own has its folder for a name,
and neither version nor pin. What it says of a source counts only if the source's
pin and requirements are still those, and the targets asked for are among `targets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest, DigestError
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.python.index import check_filename
from vendorpack.formats._shared.python.wheels import is_valid_wheel
from vendorpack.formats._shared.text.toml_text import load_toml, tables, text, text_list
from vendorpack.model import Json

VERSION: Final = 1


def label_of(name: str, version: str) -> str:
    """How a wheel's `for` names a source."""
    return f"{name} {version}".rstrip()


@dataclass(frozen=True, slots=True, order=True)
class LockedSource:
    """A source and what it asks for. pin: hex of the sdist's sha256, or of the commit."""

    name: str
    version: str
    pin: str
    requires: tuple[str, ...]

    @property
    def label(self) -> str:
        """How `LockedWheel.built_for` names it."""
        return label_of(self.name, self.version)


@dataclass(frozen=True, slots=True, order=True)
class LockedWheel:
    """A wheel that sources are built with. built_for: their labels."""

    filename: str
    url: str
    sha256: str
    size: int
    built_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BuildLock:
    """The whole file."""

    targets: tuple[str, ...] = ()
    sources: tuple[LockedSource, ...] = ()
    wheels: tuple[LockedWheel, ...] = ()

    def wheels_for(self, source: LockedSource) -> tuple[LockedWheel, ...] | None:
        """What a source is built with; None if that is not known for it as it is now."""
        if source not in self.sources:
            return None
        return tuple(wheel for wheel in self.wheels if source.label in wheel.built_for)


def parse_build_lock(data: bytes, path: str) -> BuildLock:
    """Read a side lock. Raises `LockfileError` with `path:line`."""
    document = load_toml(data, path)
    if document.get("version") != VERSION:
        raise LockfileError(
            f"the build lock is not of version {VERSION}",
            where=path,
            fix="Delete it to have it written anew, or use a vendorpack that knows it.",
        )
    sources = tuple(
        LockedSource(
            text(table, "name", where),
            text(table, "version", where),
            text(table, "pin", where),
            tuple(text_list(table, "requires", where)),
        )
        for table, where in tables(document, data, "source", path)
    )
    wheels = tuple(_wheel(table, where) for table, where in tables(document, data, "wheel", path))
    return BuildLock(tuple(text_list(document, "targets", path)), sources, wheels)


def render_build_lock(lock: BuildLock, previous: bytes | None = None) -> bytes:
    """Write a side lock, sorted. Tables that say the same as before keep their comments.

    `previous` is the file as it is; it must be one that `parse_build_lock` reads.
    """
    import tomlkit  # noqa: PLC0415 - dear, and only needed to write

    if previous is None:
        document = tomlkit.document()
        document.add(tomlkit.comment("What sources are built with. Written by vendorpack."))
    else:
        document = tomlkit.parse(previous.decode())
    document["version"] = VERSION
    document["targets"] = sorted(lock.targets)
    _replace(document, "source", [_source_table(source) for source in sorted(lock.sources)])
    _replace(document, "wheel", [_wheel_table(wheel) for wheel in sorted(lock.wheels)])
    return tomlkit.dumps(document).encode()


def _replace(document: Any, key: str, rows: list[dict[str, Json]]) -> None:
    import tomlkit  # noqa: PLC0415 - see above

    before = list(document.get(key, []))
    if [table.unwrap() for table in before] == rows:
        return
    array = tomlkit.aot()
    for row in rows:
        kept = next((table for table in before if table.unwrap() == row), None)
        table = tomlkit.item(row) if kept is None else kept
        if kept is None:
            cast(Any, table).add(tomlkit.nl())
        array.append(table)
    if key in document:
        document[key] = array
    else:
        document.add(key, array)


def _source_table(source: LockedSource) -> dict[str, Json]:
    return {
        "name": source.name,
        "version": source.version,
        "pin": source.pin,
        "requires": list(source.requires),
    }


def _wheel_table(wheel: LockedWheel) -> dict[str, Json]:
    return {
        "filename": wheel.filename,
        "url": wheel.url,
        "sha256": wheel.sha256,
        "size": wheel.size,
        "for": list(wheel.built_for),
    }


def _wheel(table: Mapping[str, Any], where: str) -> LockedWheel:
    filename = check_filename(text(table, "filename", where), where)
    size = table.get("size")
    url = text(table, "url", where)
    if type(size) is not int or size < 0 or not is_valid_wheel(filename):
        raise LockfileError("not a wheel with its size in bytes", where=where)
    try:
        sha256 = Digest.from_hex("sha256", text(table, "sha256", where)).hex
    except DigestError as error:
        raise LockfileError(str(error), where=where) from None
    return LockedWheel(filename, url, sha256, size, tuple(text_list(table, "for", where)))
