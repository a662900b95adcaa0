"""pdm.lock, version 4: files with their names and hashes, and with addresses if it was asked to.

::

    [metadata]
    groups = ["default", "dev"]
    strategy = ["inherit_metadata"]          # and maybe "static_urls"
    lock_version = "4.5.0"

    [[package]]
    name, version, requires_python, groups, marker, extras, dependencies
    files = [{file = "<name>" or url = "<address>", hash = "sha256:…"}]
    url = …  |  git = …, revision = …, ref = …  |  path = …          # where not from an index

`groups` and `marker` of packages are only there with `inherit_metadata`, PDM's default. PDM 2.0 to
2.7 (lock_version 4.0 to 4.2) have the files in one table, `[metadata.files]`, as
`"<name> <version>" = [{url = …, hash = …}]`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest, Integrity
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.python import direct_references, graph, wheels
from vendorpack.formats._shared.python.distributions import WHEELHOUSE, Release
from vendorpack.formats._shared.python.index import (
    check_filename,
    check_name,
    filename_of,
    parse_hash,
    purl,
)
from vendorpack.formats._shared.python.local_projects import LocalProject, warn_of
from vendorpack.formats._shared.python.markers import parse_marker, targets_of
from vendorpack.formats._shared.python.wheelhouse_room import Choices
from vendorpack.formats._shared.text.toml_text import (
    Table,
    load_toml,
    optional_text,
    subtable,
    tables,
    text,
    text_list,
)
from vendorpack.formats.pdm.manifest import Sources
from vendorpack.model import Artifact, Graph, Options, Target, Warning
from vendorpack.project import Project


@dataclass(frozen=True, slots=True)
class PdmLock:
    """The lock. packages: each table with its `path:line`."""

    groups: tuple[str, ...]
    inherits: bool
    packages: tuple[tuple[Table, str], ...]


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a package. url is None where the index has to be asked."""

    filename: str
    url: str | None
    digest: Digest


def parse_pdm_lock(project: Project) -> PdmLock:
    """Read the whole file. Raises `LockfileError` with `path:line`."""
    data = project.lock_bytes()
    path = project.where()
    document = load_toml(data, path)
    metadata = subtable(document, "metadata", path)
    version = text(metadata, "lock_version", path)
    if version.partition(".")[0] != "4":
        raise LockfileError(
            f"a pdm.lock of version {version[:20]} is not known",
            where=path,
            fix="Lock again with PDM 2.8 or newer.",
        )
    return PdmLock(
        tuple(text_list(metadata, "groups", path)),
        "inherit_metadata" in text_list(metadata, "strategy", path),
        tuple(
            (_with_files(package, subtable(metadata, "files", path)), where)
            for package, where in tables(document, data, "package", path)
        ),
    )


def _with_files(package: Table, old_files: Table) -> Table:
    listed = old_files.get(f"{package.get('name')} {package.get('version')}")
    return package if listed is None or "files" in package else {**package, "files": listed}


def artifacts_of(
    lock: PdmLock,
    sources: Sources,
    options: Options,
    choices: Choices,
    project: Project,
    local: Sequence[LocalProject],
) -> tuple[tuple[Artifact, ...], Graph, tuple[Warning, ...]]:
    """What the groups asked for have for the targets, who asks for whom there, and warnings.

    Without `--no-dev` all groups that are locked; with it `default` and the ones named.
    Raises `LockfileError`, `UnsupportedError`.
    """
    unknown = sorted({*options.groups} - {*lock.groups})
    if unknown:
        raise LockfileError(
            f"the lock has no group {', '.join(unknown)}",
            where=project.where(),
            fix=f"It has: {', '.join(lock.groups)}.",
        )
    wanted = {*lock.groups} if options.dev else {"default", *options.groups}
    warnings: list[Warning] = []
    if not lock.inherits:
        warnings.append(
            Warning(
                "the lock does not say which package is for which group or platform, so all of "
                "them are taken (`pdm lock -S inherit_metadata` mends that)",
                project.where(),
            )
        )
    found: list[Artifact] = []
    releases: list[graph.Release] = []
    seen: set[tuple[str, str, Integrity]] = set()
    for package, where in lock.packages:
        groups = text_list(package, "groups", where)
        if groups and not wanted & {*groups}:
            continue
        name = check_name(text(package, "name", where), where)
        marker = optional_text(package, "marker", where) or ""
        targets = targets_of(parse_marker(marker, where) if marker else None, choices.targets)
        if choices.targets and not targets:
            continue
        if "path" in package:
            location = text(package, "path", where)
            warnings += warn_of(name, location, local, where)
            continue
        made = _artifacts(name, package, where, marker, targets, sources, choices)
        releases.append(_node(name, package, made, where))
        for artifact in made:
            # A package and its extras are tables of their own, with the same files.
            key = (artifact.name, artifact.version, artifact.integrity)
            if key not in seen:
                seen.add(key)
                found.append(artifact)
    return tuple(found), graph.graph_of(releases, choices.targets, None), tuple(warnings)


def _node(name: str, package: Table, made: Sequence[Artifact], where: str) -> graph.Release:
    version = optional_text(package, "version", where) or ""
    purls = {artifact.purl for artifact in made}
    if version:
        purls.update(graph.purls_of(name, version))
    requests: tuple[graph.Request, ...] | None = None
    with contextlib.suppress(InvalidRequirement):
        requests = tuple(map(_request, text_list(package, "dependencies", where)))
    return graph.Release(name, version, tuple(sorted(purls)), requests)


def _request(line: str) -> graph.Request:
    parsed = Requirement(line)
    marker = "" if parsed.marker is None else str(parsed.marker)
    return graph.Request(canonicalize_name(parsed.name), marker, str(parsed.specifier))


def _artifacts(
    name: str,
    package: Table,
    where: str,
    marker: str,
    targets: tuple[Target, ...],
    sources: Sources,
    choices: Choices,
) -> list[Artifact]:
    why = tuple(sorted({*text_list(package, "groups", where)} - {"default"}))
    subdirectory = optional_text(package, "subdirectory", where) or ""
    git = optional_text(package, "git", where)
    if git is not None:
        return [
            direct_references.git_project(
                name,
                git,
                text(package, "revision", where),
                targets=targets,
                where=where,
                why=why,
                subdirectory=subdirectory,
            )
        ]
    files = _files(package, where)
    url = optional_text(package, "url", where)
    if url is not None:
        artifact = direct_references.archive(
            name,
            url,
            [file.digest for file in files],
            targets=targets,
            places=choices.places_of_urls,
            where=where,
            why=why,
            subdirectory=subdirectory,
        )
        return [replace(artifact, marker=marker)]
    version = text(package, "version", where)
    release = Release(
        name=name,
        version=version,
        purl=purl(name, version),
        url=None,
        integrity=Integrity.of(file.digest for file in files),
        where=where,
        why=why,
        indexes=sources.asked_for(name),
        targets=targets,
        binary=choices.binary(),
        filenames=tuple((file.filename, file.digest) for file in files),
        marker=marker,
    )
    if files and all(file.url is not None for file in files):
        return _static(release, files, choices)
    return [release]


def _static(release: Release, files: Sequence[_File], choices: Choices) -> list[Artifact]:
    """Files whose addresses are locked: nothing is left to ask."""
    chosen, missing = wheels.choose(
        files,
        release.targets,
        filename=lambda file: file.filename,
        wheels=release.binary.allows_wheels(release.name),
        sdists=release.binary.allows_sdists(release.name),
    )
    if missing or not chosen:
        raise UnsupportedError(
            f"{release} has no file for {', '.join(map(str, missing)) or 'any target'}",
            where=release.where,
            fix="Change only-binary or no-binary, or lock for this target too.",
        )
    names = [file.filename for file in chosen]
    return [
        replace(
            direct_references.archive(
                release.name,
                file.url or "",
                [file.digest],
                targets=[t for t in release.targets if wheels.has_to_build(names, t)],
                places=(WHEELHOUSE,),
                where=release.where,
                why=release.why,
            ),
            marker=release.marker,
        )
        for file in chosen
    ]


def _files(package: Table, where: str) -> list[_File]:
    listed = package.get("files", [])
    if not isinstance(listed, list) or not all(isinstance(file, Mapping) for file in listed):
        raise LockfileError("'files' is not an array of tables", where=where)
    return [_file(file, where) for file in listed]


def _file(table: Mapping[str, Any], where: str) -> _File:
    url = optional_text(table, "url", where)
    filename = filename_of(url) if url is not None else text(table, "file", where)
    digest = parse_hash(text(table, "hash", where), where)
    return _File(check_filename(filename, where), url, digest)
