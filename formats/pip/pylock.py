"""pylock.toml (the specification "pylock.toml", version 1; pip 26.3 installs from it).

Each file has its address and hashes, so nothing is left to ask. pip asks for exactly those
addresses, whatever index is configured: the files go into its HTTP cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from packaging.pylock import (
    Package,
    PackageSdist,
    PackageWheel,
    Pylock,
    PylockSelectError,
    PylockUnsupportedVersionError,
    PylockValidationError,
)

from vendorpack.digest import SIZES, Digest, DigestError
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.python import direct_references, wheels
from vendorpack.formats._shared.python.local_projects import LocalProject, warn_of
from vendorpack.formats._shared.python.markers import environments
from vendorpack.formats._shared.python.wheelhouse_room import Choices
from vendorpack.formats._shared.text.toml_text import load_toml, table_lines
from vendorpack.model import Artifact, Target, Warning
from vendorpack.project import Project


def parse_pylock(project: Project) -> tuple[Pylock, dict[int, str]]:
    """The lock, and the `path:line` of each package by its number. Raises `LockfileError`."""
    data = project.lock_bytes()
    path = project.where()
    document = load_toml(data, path)
    lines = table_lines(data, "packages")
    try:
        lock = Pylock.from_dict(document)
    except PylockUnsupportedVersionError as error:
        raise LockfileError(str(error), where=path, fix="Use a newer vendorpack.") from None
    except (PylockValidationError, ValueError, RecursionError) as error:
        raise LockfileError(f"not a valid pylock.toml: {error}", where=path) from None
    if len(lines) != len(lock.packages):
        return lock, dict.fromkeys(range(len(lock.packages)), path)
    return lock, {number: f"{path}:{line}" for number, line in enumerate(lines)}


def artifacts_of(
    project: Project, choices: Choices, groups: Sequence[str], local: Sequence[LocalProject]
) -> tuple[tuple[Artifact, ...], tuple[Warning, ...]]:
    """What the lock has for the targets, with its default groups and the ones named.

    groups: names of extras and dependency groups. local: the projects whose build requirements
    are packed. Raises `LockfileError`, `UnsupportedError`.
    """
    lock, wheres = parse_pylock(project)
    numbers = {id(package): number for number, package in enumerate(lock.packages)}
    extras = [name for name in groups if name in (lock.extras or ())]
    named = [name for name in groups if name in (lock.dependency_groups or ())]
    unknown = sorted({*groups} - {*extras, *named})
    if unknown:
        raise LockfileError(
            f"the lock has no group or extra {', '.join(unknown)}",
            where=project.where(),
            fix=f"It has: {', '.join([*(lock.extras or ()), *(lock.dependency_groups or ())])}.",
        )
    chosen: dict[int, list[Target]] = {}
    if not choices.targets:
        chosen = {number: [] for number in wheres}
    for target in choices.targets:
        for package in _selected(lock, target, extras, named, project):
            chosen.setdefault(numbers[id(package)], []).append(target)
    found: list[Artifact] = []
    warnings: list[Warning] = []
    for number in sorted(chosen):
        package = lock.packages[number]
        if package.directory is not None:
            shown = f"{package.name} (folder {package.directory.path!r})"
            warnings += warn_of(shown, package.directory.path, local, wheres[number])
        else:
            found += _files(package, chosen[number], choices, wheres[number])
    return tuple(found), tuple(warnings)


def _selected(
    lock: Pylock, target: Target, extras: Sequence[str], groups: Sequence[str], project: Project
) -> list[Package]:
    """The packages that any patch release of the target's Python installs."""
    found: dict[int, Package] = {}
    failures: list[Exception] = []
    wanted = [*(lock.default_groups or ()), *groups]
    asked = environments(target)
    for environment in asked:
        try:
            selection = lock.select(
                environment=environment,
                tags=wheels.supported_tags(target),
                extras=extras,
                dependency_groups=wanted,
            )
            found |= {id(package): package for package, _ in selection}
        except (PylockSelectError, ValueError, KeyError) as error:  # or a marker's nonsense
            failures.append(error)
    if len(failures) == len(asked):
        raise UnsupportedError(
            f"the lock cannot be installed on {target}: {failures[0]}",
            where=project.where(),
            fix="Choose another target, or lock for this one too.",
        )
    return list(found.values())


def _files(
    package: Package, targets: Sequence[Target], choices: Choices, where: str
) -> Iterator[Artifact]:
    name = package.name
    if package.vcs is not None:
        vcs = package.vcs
        if vcs.type != "git" or vcs.url is None:
            raise UnsupportedError(
                f"{name} comes from a {vcs.type} repository that cannot be packed", where=where
            )
        yield direct_references.git_project(
            name,
            vcs.url,
            vcs.commit_id,
            targets=targets,
            where=where,
            subdirectory=vcs.subdirectory or "",
        )
        return
    if package.archive is not None:
        archive = package.archive
        yield direct_references.archive(
            name,
            _address(archive.url, name, where),
            _digests(archive.hashes, where),
            targets=targets,
            places=choices.places_of_urls,
            where=where,
            size=archive.size,
            subdirectory=archive.subdirectory,
        )
        return
    binary = choices.binary()
    offered: list[PackageWheel | PackageSdist] = [*(package.wheels or ())]
    if package.sdist is not None:
        offered.append(package.sdist)
    files, missing = wheels.choose(
        offered,
        targets,
        filename=lambda file: file.filename,
        wheels=binary.allows_wheels(name),
        sdists=binary.allows_sdists(name),
    )
    if missing or not files:
        raise UnsupportedError(
            f"{name} has no file for {', '.join(map(str, missing)) or 'any target'}",
            where=where,
            fix="Change only-binary or no-binary, or lock for this target too.",
        )
    names = [file.filename for file in files]
    for file in files:
        yield direct_references.archive(
            name,
            _address(file.url, name, where),
            _digests(file.hashes, where),
            targets=[t for t in targets if wheels.has_to_build(names, t)],
            places=choices.places_of_urls,
            where=where,
            size=file.size,
        )


def _address(url: str | None, name: str, where: str) -> str:
    if url is None:
        raise UnsupportedError(
            f"{name} is a file beside the lock, not one that can be downloaded",
            where=where,
            fix="Lock it from an index or an address.",
        )
    return url


def _digests(hashes: Mapping[str, Any], where: str) -> list[Digest]:
    try:
        return [Digest.from_hex(a, cast(str, hashes[a])) for a in sorted(hashes) if a in SIZES]
    except DigestError as error:
        raise LockfileError(str(error), where=where) from None
