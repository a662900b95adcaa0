"""Which crates of a lockfile some target may build, as far as the lockfile and the index tell.

`Cargo.lock` is for every platform: it says who depends on whom, and the index says on which
platforms. The walk starts at what the project itself and its git dependencies name, whatever
their manifests say, and goes along each dependency that a target may want. Features need no look:
what none of them turns on is not locked.

Dependencies of build scripts and macros are for the machine that builds: it must be a target too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vendorpack.errors import FetchError
from vendorpack.formats.cargo.artifacts import Crate, PackageId
from vendorpack.formats.cargo.platforms import may_apply
from vendorpack.model import Target


def needed(
    crates: Mapping[PackageId, Crate], lines: Mapping[PackageId, bytes], targets: Sequence[Target]
) -> set[PackageId]:
    """The crates that may be built on one of the targets.

    lines: of each crate, its line of the registry's index. Raises `FetchError` for one that is
    not read.
    """
    found: set[PackageId] = set()
    due = [package for package, crate in crates.items() if crate.is_asked_for]
    while due:
        package = due.pop()
        if package in found or package not in crates:
            continue
        found.add(package)
        conditions = _conditions(lines[package], package)
        for other in crates[package].needs:
            # One that the index does not have is not understood, so it is kept.
            stated = conditions.get(other.name, [None])
            if any(may_apply(condition, target) for condition in stated for target in targets):
                due.append(other)
    return found


def _conditions(line: bytes, package: PackageId) -> dict[str, list[str | None]]:
    """The conditions under which a crate wants others, by their names."""
    found: dict[str, list[str | None]] = {}
    for dependency in _dependencies(line, package):
        name, target = dependency.get("package") or dependency.get("name"), dependency.get("target")
        if dependency.get("kind") != "dev" and isinstance(name, str):
            found.setdefault(name, []).append(target if isinstance(target, str) else None)
    return found


def _dependencies(line: bytes, package: PackageId) -> Iterator[Mapping[str, Any]]:
    listed = json.loads(line).get("deps", [])
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise FetchError(
            f"the registry's index has no list of what {package.name} {package.version} needs"
        )
    yield from listed
