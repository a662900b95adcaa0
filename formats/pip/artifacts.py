"""From the lines of a requirements file to what has to be packed.

A requirement must be pinned: `name==version`, an address, or a git commit. Constraints pin
nothing by themselves; they add their version and hashes to a requirement of the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from packaging.requirements import Requirement
from packaging.version import Version

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest, Integrity
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.python import direct_references
from vendorpack.formats._shared.python.distributions import Release
from vendorpack.formats._shared.python.index import check_name, filename_of, parse_hash, purl
from vendorpack.formats._shared.python.local_projects import LocalProject, warn_of
from vendorpack.formats._shared.python.markers import targets_of
from vendorpack.formats._shared.python.wheelhouse_room import Choices
from vendorpack.formats._shared.python.wheels import SDIST_SUFFIXES, is_wheel
from vendorpack.formats.pip.find_links import FindLinks
from vendorpack.formats.pip.requirements import (
    Line,
    Requirements,
    is_local,
    local_path,
)
from vendorpack.model import Artifact, Target, Warning
from vendorpack.redact import redact_text, redact_url

ALGORITHMS: Final = ("sha256", "sha384", "sha512")
"""What pip takes in `--hash`."""
_PINNED: Final = ("==", "===")
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A line that names a project. `requirement` has the address, if there is one."""

    line: Line
    name: str
    requirement: Requirement
    digests: tuple[Digest, ...]
    subdirectory: str = ""

    @property
    def version(self) -> str | None:
        """What it is pinned to; None if it is not."""
        specifiers = [*self.requirement.specifier]
        if len(specifiers) != 1 or specifiers[0].operator not in _PINNED:
            return None
        version = specifiers[0].version
        return None if version.endswith(".*") else version


def artifacts_of(
    requirements: Requirements,
    indexes: tuple[str, ...],
    places: FindLinks,
    choices: Choices,
    local: Sequence[LocalProject],
) -> tuple[tuple[Artifact, ...], tuple[Warning, ...]]:
    """What the file asks for on the targets.

    places: where files lie beside the indexes.
    local: the projects whose build requirements are packed.
    Raises `LockfileError` for a requirement that is not pinned, `UnsupportedError`.
    """
    binary = choices.binary(requirements.only_binary, requirements.no_binary)
    warnings = [*places.warnings]
    wanted: list[_Parsed] = []
    constraints: dict[str, list[_Parsed]] = {}
    for line in requirements.lines:
        if is_local(line.text):
            if not line.constraint:
                shown = redact_text(line.text)
                warnings += warn_of(shown, local_path(line.text), local, line.where)
            continue
        parsed = parse_line(line)
        if line.constraint:
            constraints.setdefault(parsed.name, []).append(parsed)
        else:
            wanted.append(parsed)
    found: list[Artifact] = []
    for parsed in wanted:
        targets = targets_of(parsed.requirement.marker, choices.targets)
        if choices.targets and not targets:
            continue
        applied = _constrained(parsed, constraints.get(parsed.name, ()))
        marker = str(parsed.requirement.marker or "")
        if applied.requirement.url is not None:
            found.append(_direct(applied, choices, targets))
            continue
        version = applied.version
        if version is None:
            raise _unpinned(parsed)
        release = Release(
            name=parsed.name,
            version=normal_version(version),
            purl=purl(parsed.name, version),
            url=None,
            integrity=Integrity.of(applied.digests),
            where=parsed.line.where,
            indexes=indexes,
            find_links=places.pages,
            targets=targets,
            binary=binary,
            marker=marker,
        )
        own = places.own_files(release)
        if own is None:
            found.append(release)
        elif not all(map(is_wheel, own)):
            warnings.append(
                Warning(
                    f"{release} lies in the project and is built where it is installed: what it is "
                    "built with is not packed",
                    release.where,
                )
            )
    unused = sorted(constraints.keys() - {parsed.name for parsed in wanted})
    if unused:
        more = f" and {len(unused) - _SHOWN} more" if len(unused) > _SHOWN else ""
        warnings.append(
            Warning(
                f"constraints alone ask for nothing: {', '.join(unused[:_SHOWN])}{more} "
                "will not be packed; name them in the requirements if something depends on them",
                constraints[unused[0]][0].line.where,
            )
        )
    return tuple(found), tuple(warnings)


def parse_line(line: Line) -> _Parsed:
    """Read a requirement. Raises `LockfileError`, `UnsupportedError`."""
    subdirectory = ""
    text = line.text
    if text.startswith(direct_references.VCS) or re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        text, subdirectory = _named(text, line.where)
    try:
        requirement = Requirement(text)
    except (ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise LockfileError(
            f"{redact_text(text)[:100]!r} is not a requirement: {redact_text(reason)}",
            where=line.where,
        ) from None
    name = check_name(requirement.name, line.where)
    return _Parsed(
        line,
        name,
        requirement,
        tuple(parse_hash(h, line.where, ALGORITHMS) for h in line.hashes),
        subdirectory,
    )


def normal_version(version: str) -> str:
    """The version in its normal form; what is not one stays as it is (`===`)."""
    try:
        return str(Version(version))
    except ValueError:
        return version


def _named(text: str, where: str) -> tuple[str, str]:
    """A bare address, as pip takes it too, as `name @ address`; and its marker's place is kept."""
    address, semicolon, marker = text.partition(" ;")
    tail = f" ;{marker}" if semicolon else ""
    subdirectory = ""
    if address.startswith(direct_references.VCS):
        _, _, name, subdirectory = direct_references.split_vcs(address, where)
    else:
        match = re.search(r"[#&]egg=([^&\[]+)", address)
        filename = filename_of(address)
        stem = filename.removesuffix(next((s for s in SDIST_SUFFIXES if filename.endswith(s)), ""))
        name = (
            match[1]
            if match
            else filename.partition("-")[0]
            if is_wheel(filename)
            else stem.rpartition("-")[0]
        )
    if not name:
        raise LockfileError(
            f"nothing says what project this is: {redact_url(address)}",
            where=where,
            fix="Write `name @ address`.",
        )
    return f"{name} @ {address}{tail}", subdirectory


def _constrained(parsed: _Parsed, constraints: Iterable[_Parsed]) -> _Parsed:
    """With the pin and the hashes of its constraints, as far as it has none of its own."""
    applied = parsed
    for constraint in constraints:
        pins = constraint.requirement.url is not None or constraint.version is not None
        has_pin = applied.requirement.url is not None or applied.version is not None
        if pins and not has_pin:
            requirement = Requirement(str(constraint.requirement))
            requirement.marker = parsed.requirement.marker
            applied = _Parsed(
                parsed.line, parsed.name, requirement, applied.digests, constraint.subdirectory
            )
        if constraint.digests:
            both = tuple(d for d in applied.digests if d in constraint.digests)
            applied = _Parsed(
                applied.line,
                applied.name,
                applied.requirement,
                both if applied.digests else constraint.digests,
                applied.subdirectory,
            )
    return applied


def _direct(parsed: _Parsed, choices: Choices, targets: Sequence[Target]) -> Artifact:
    url = parsed.requirement.url or ""
    where = parsed.line.where
    if url.startswith(direct_references.VCS):
        remote, revision, _, subdirectory = direct_references.split_vcs(url, where)
        return direct_references.git_project(
            parsed.name, remote, revision, targets=targets, where=where, subdirectory=subdirectory
        )
    return direct_references.archive(
        parsed.name,
        url,
        parsed.digests,
        targets=targets,
        places=choices.places_of_urls,
        where=where,
        subdirectory=parsed.subdirectory,
    )


def _unpinned(parsed: _Parsed) -> LockfileError:
    return LockfileError(
        f"{str(parsed.requirement)!r} is not pinned to one version",
        where=parsed.line.where,
        fix="vendorpack chooses no versions. Lock them first, with hashes: "
        "`pip-compile --generate-hashes`, `uv pip compile --generate-hashes` or `pip lock`.",
    )
