"""Wrappers of build tools: the properties file of Gradle's or Maven's, text to its one pin. Pure.

::

    gradle/wrapper/gradle-wrapper.properties    distributionUrl, distributionSha256Sum
    .mvn/wrapper/maven-wrapper.properties       the same, and distributionType

Only a file with a hash pins anything; others are no lockfiles (their distribution can be written
into artifacts.lock.yaml).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from vendorpack.digest import Digest, DigestError, Integrity
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.formats._shared.text.properties_text import load_properties
from vendorpack.formats.extras.lockfile import Pin
from vendorpack.model import Warning
from vendorpack.project import Project
from vendorpack.redact import redact_url

GRADLE: Final = "gradle-wrapper.properties"
MAVEN: Final = "maven-wrapper.properties"

_PLACES: Final = {
    "distributionBase": "GRADLE_USER_HOME",
    "distributionPath": "wrapper/dists",
    "zipStoreBase": "GRADLE_USER_HOME",
    "zipStorePath": "wrapper/dists",
}
"""Where Gradle's wrapper keeps distributions, and what it is called in the file."""
_SCRIPT: Final = "only-script"


def parse_wrapper(project: Project) -> tuple[Pin | None, tuple[Warning, ...]]:
    """The distribution, None if nothing could lead the wrapper to it. Raises `LockfileError`."""
    shown = project.where()
    found = load_properties(project.lock_bytes(), shown)
    url, checksum = found.get("distributionUrl"), found.get("distributionSha256Sum")
    if url is None:
        raise LockfileError("distributionUrl is missing", where=shown)
    where = project.where(url.line)
    if not is_http(url.value):
        return None, (
            Warning(f"{redact_url(url.value)} is no http(s) address: it is not packed", where),
        )
    if urlsplit(url.value).username:
        raise LockfileError(
            f"there is a login in the address {redact_url(url.value)}",
            where=where,
            fix="Put it into .netrc.",
        )
    if (why := _elsewhere(project, {key: value.value for key, value in found.items()})) is not None:
        return None, (Warning(f"{why}: its distribution is not packed", shown),)
    try:
        digests = [Digest.from_hex("sha256", checksum.value.strip())] if checksum else []
    except DigestError as error:
        raise LockfileError(f"distributionSha256Sum is {error}", where=shown) from None
    place = urlsplit(url.value).path.rpartition("/")[2]
    return Pin(url.value, Integrity.of(digests), place, where), ()


def _elsewhere(project: Project, values: dict[str, str]) -> str | None:
    """Why the wrapper would not look where distributions are laid out; None if it does."""
    if project.lockfile.name == GRADLE:
        for key, usual in _PLACES.items():
            if values.get(key, usual) != usual:
                return f"{key} is {values[key]!r}, not {usual}"
        return None
    kind = values.get("distributionType", _SCRIPT if "wrapperUrl" not in values else "bin")
    return None if kind == _SCRIPT else f"the wrapper is of the type {kind!r}, not {_SCRIPT}"
