"""The licences in POMs: https://maven.apache.org/pom.html#Licenses.

Of several the user may choose one. A POM without any has its parent's, as Maven inherits them, and
a jar has those of the POM beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, Final

from vendorpack.errors import LockfileError
from vendorpack.formats._shared.maven.files import MavenFile, coordinates
from vendorpack.formats._shared.maven.poms import pom_path
from vendorpack.formats._shared.text.license_names import any_of, license_id
from vendorpack.formats._shared.text.xml_text import Element, load_xml
from vendorpack.model import Artifact, LicenseReader, Packed

_MAX_POM: Final = 16 << 20
_MAX_PARENTS: Final = 100
_PARENT: Final = "parent "
"""Ahead of the path of the POM that an answer is to be taken from."""
_ADDRESSES: Final = (
    (re.compile(r"apache\.org/licenses/license-2\.0"), "Apache-2.0"),
    (re.compile(r"opensource\.org/licenses?/apache-2\.0"), "Apache-2.0"),
    (re.compile(r"opensource\.org/licenses?/mit(?:-license(?:\.php)?)?/?$"), "MIT"),
    (re.compile(r"opensource\.org/licenses?/bsd-3-clause"), "BSD-3-Clause"),
    (re.compile(r"opensource\.org/licenses?/bsd-2-clause"), "BSD-2-Clause"),
    (re.compile(r"eclipse\.org/legal/epl-v10\b"), "EPL-1.0"),
    (re.compile(r"eclipse\.org/legal/epl-(?:v20|2\.0)\b"), "EPL-2.0"),
    (re.compile(r"mozilla\.org/mpl/2\.0"), "MPL-2.0"),
    (re.compile(r"creativecommons\.org/publicdomain/zero/1\.0"), "CC0-1.0"),
)


def reader_of(artifact: Artifact) -> LicenseReader | None:
    """How an artifact is asked: a POM. A jar has nothing that would say it."""
    is_pom = isinstance(artifact, MavenFile) and artifact.path.endswith(".pom")
    return _POM if is_pom else None


def inherited(packed: Sequence[Packed]) -> Iterator[str]:
    """The licence of each file, from what the POMs say of theirs and of their parents."""
    said = {one.artifact.path: one.license for one in packed if isinstance(one.artifact, MavenFile)}
    for one in packed:
        if not isinstance(one.artifact, MavenFile):
            yield one.license
            continue
        found = coordinates(one.artifact.path, one.artifact.where)
        yield _followed(pom_path(found.group, found.artifact, found.version), said)


def _followed(path: str, said: Mapping[str, str]) -> str:
    for _ in range(_MAX_PARENTS):
        text = said.get(path, "")
        if not text.startswith(_PARENT):
            return text
        path = text.removeprefix(_PARENT)
    return ""


def of_pom(data: bytes) -> str:
    """The licences of a POM, or `parent <path>` of the one that has them."""
    try:
        root = load_xml(data, "pom.xml")
    except LockfileError:
        return ""
    text = any_of(map(_license, root.all("licenses/license")))
    if text:
        return text
    parent = root.one("parent")
    names = ("groupId", "artifactId", "version")
    place = [parent.get(name) for name in names] if parent is not None else []
    return _PARENT + pom_path(*place) if place and all(place) else ""


def _license(element: Element) -> str:
    name, url = element.get("name"), element.get("url")
    known = license_id(name)
    if not known:
        address = url.lower()
        known = next((spdx for pattern, spdx in _ADDRESSES if pattern.search(address)), "")
    return known or name or url


def _read(file: BinaryIO) -> str:
    return of_pom(file.read(_MAX_POM))


_POM: Final = LicenseReader("pom-license-1", _read)
