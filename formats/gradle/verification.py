"""gradle/verification-metadata.xml: text to pins. Pure.

::

    <verification-metadata xmlns="https://schema.gradle.org/dependency-verification">
      <configuration><verify-metadata>true</verify-metadata>…</configuration>
      <components>
        <component group="com.example" name="thing" version="1.0">
          <artifact name="thing-1.0.jar">
            <sha256 value="…"><also-trust value="…"/></sha256>
            <pgp value="…"/>

`also-trust` is another right hash. A file with a signature alone has no hash here. Files that are
trusted by a pattern (`trusted-artifacts`: sources, javadoc) are not listed, and not asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest, DigestError, Integrity
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.maven.files import coordinates
from vendorpack.formats._shared.text.xml_text import Element, load_xml
from vendorpack.project import Project

_ALGORITHMS: Final = ("sha512", "sha256", "sha1", "md5")
_FIX: Final = "Write it anew: gradle --write-verification-metadata sha256 build"


@dataclass(frozen=True, slots=True)
class Pin:
    """A file. path: in any repository that has it."""

    group: str
    path: str
    integrity: Integrity
    where: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The file. has_metadata: whether it pins POMs and module files too."""

    pins: tuple[Pin, ...]
    has_metadata: bool


def parse_verification(project: Project) -> Verification:
    """Read the file. Raises `LockfileError`, `UnsupportedError`."""
    shown = project.where()
    root = load_xml(project.lock_bytes(), shown)
    if root.name != "verification-metadata":
        raise LockfileError("this is no verification metadata of Gradle's", where=shown)
    found: dict[str, Pin] = {}
    for pin in _pins(root, project):
        known = found.setdefault(pin.path, pin)
        if known.integrity != pin.integrity:
            raise LockfileError(
                f"{pin.path} is pinned twice, with different hashes",
                where=f"{known.where} and {pin.where}",
                fix=_FIX,
            )
    has_metadata = root.get("configuration/verify-metadata") != "false"
    return Verification(tuple(found.values()), has_metadata)


def _pins(root: Element, project: Project) -> Iterator[Pin]:
    for component in root.all("components/component"):
        values = [component.attributes.get(key, "") for key in ("group", "name", "version")]
        group, name, version = values
        for artifact in component.all("artifact"):
            where = project.where(artifact.line)
            file = artifact.attributes.get("name", "")
            path = f"{group.replace('.', '/')}/{name}/{version}/{file}"
            coordinates(path, where)
            yield Pin(group, path, _integrity(artifact, where), where)


def _integrity(artifact: Element, where: str) -> Integrity:
    digests = []
    for element in artifact.children:
        if element.name not in _ALGORITHMS:
            continue
        values = [element, *element.all("also-trust")]
        try:
            digests += [
                Digest.from_hex(element.name, value.attributes.get("value", "").lower())
                for value in values
            ]
        except DigestError as error:
            raise LockfileError(str(error), where=where, fix=_FIX) from None
    return Integrity.of(digests)
