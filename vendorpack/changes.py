"""What changed between two bundles, release by release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from vendorpack.bundle.manifest import Manifest
from vendorpack.dataclass import dataclass
from vendorpack.license_rules import NONE, license_of
from vendorpack.model import Json

Package: TypeAlias = tuple[str, str]
"""Format and name."""
Release: TypeAlias = tuple[str, str, int]
"""Version, sha256, and size in bytes."""


@dataclass(frozen=True, slots=True)
class Change:
    """A release of a package that came, went, or took another's place.

    old, new: None where there is none. old_license, new_license: what they declare; both empty if
    one of the bundles says nothing of licences. old_trust, new_trust: who vouches for its hash.
    """

    format: str
    name: str
    old: Release | None
    new: Release | None
    old_license: str = ""
    new_license: str = ""
    old_trust: str = ""
    new_trust: str = ""

    @property
    def kind(self) -> str:
        """added, removed or changed."""
        if self.old is None:
            return "added"
        return "removed" if self.new is None else "changed"

    @property
    def licenses(self) -> str:
        """The licence of what was added, or how it changed; empty if it did not."""
        if self.old is None or self.new is None or self.old_license == self.new_license:
            return self.new_license if self.old is None else ""
        return f"{self.old_license or NONE} -> {self.new_license or NONE}"

    @property
    def trusts(self) -> str:
        """Who vouches for the hash of what came, and who did for that whose place it took."""
        if self.new is None or not self.old_trust or self.old_trust == self.new_trust:
            return self.new_trust
        return f"{self.old_trust} -> {self.new_trust}"

    @property
    def growth(self) -> int:
        """Bytes that the artifacts are larger now."""
        return (self.new[2] if self.new else 0) - (self.old[2] if self.old else 0)


def changes(old: Manifest, new: Manifest) -> tuple[Change, ...]:
    """Every release that is not in both, by format and name.

    Of a package that several releases went and came of, they are paired in order.
    """
    before, after = _releases(old), _releases(new)
    known = _says_licenses(old) and _says_licenses(new)
    records = {_release(one): one for one in (*old.head.artifacts, *new.head.artifacts)}
    found = []
    for package in sorted(before.keys() | after.keys()):
        gone = sorted(before.get(package, set()) - after.get(package, set()))
        come = sorted(after.get(package, set()) - before.get(package, set()))
        for index in range(max(len(gone), len(come))):
            went = gone[index] if index < len(gone) else None
            came = come[index] if index < len(come) else None
            of = [records.get((package, side), {}) if side else {} for side in (went, came)]
            declared = [license_of(one) if known else "" for one in of]
            trusts = [str(one.get("trust", "")) for one in of]
            found.append(Change(*package, went, came, *declared, *trusts))
    return tuple(found)


def _releases(manifest: Manifest) -> dict[Package, set[Release]]:
    found: dict[Package, set[Release]] = {}
    for package, release in map(_release, manifest.head.artifacts):
        found.setdefault(package, set()).add(release)
    return found


def _says_licenses(manifest: Manifest) -> bool:
    """Whether it was packed when licences were recorded, as far as that can be told."""
    return any(map(license_of, manifest.head.artifacts))


def _release(record: Mapping[str, Json]) -> tuple[Package, Release]:
    size = record.get("size")
    release = (
        str(record.get("version", "")),
        str(record.get("sha256", "")),
        size if isinstance(size, int) else 0,
    )
    return (str(record.get("format", "")), str(record.get("name", ""))), release
