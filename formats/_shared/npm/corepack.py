"""The package manager that a project pins, as corepack keeps it.

::

    corepack/v1/                        COREPACK_HOME/v1
    ├── pnpm/10.34.5/                   npm, pnpm, Yarn 1: the files of the package
    │   ├── .corepack                   what corepack notes of them
    │   ├── bin/pnpm.cjs …
    │   └── node_modules/@pnpm/exe.…/   pnpm 12 and newer: the program, for each target
    └── yarn/4.18.1/                    Yarn 2 and newer
        ├── .corepack
        └── yarn.js                     the one file of @yarnpkg/cli-dist that is needed

Corepack (0.24 to 0.36) runs what lies there, and compares nothing with `packageManager`: that is
done here. The hash in the field is of the package's tarball; for Yarn 2 and newer it is of yarn.js
alone, which corepack downloads from another place, or out of the same package
(`npmRegistry.bin` in its config.json). So there the digest is a derived one.

pnpm 12 is a program in a package for each platform. Corepack knows nothing of those: pnpm's own
`bin/pnpm.mjs` looks for the program in `node_modules` beside it before it downloads it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.digest import SIZES, WEAK, Digest, DigestError, Integrity
from vendorpack.errors import FetchError, LockfileError, UnsupportedError
from vendorpack.formats._shared.npm.package import PACKAGE, entry_mode, package_files
from vendorpack.formats._shared.npm.package_manager import MANIFEST, Named
from vendorpack.formats._shared.npm.pinned_manager import EXACT, OPTION, pinned_manager
from vendorpack.formats._shared.npm.registry import (
    DEFAULT_REGISTRY,
    Dist,
    Release,
    dists_from_packuments,
    node_platform,
    packument_url,
    purl,
    tarball_url,
    with_registry_hashes,
)
from vendorpack.formats._shared.text.json_text import decode_utf8
from vendorpack.model import Artifact, Entry, Json, Options, Packed, Slice, Target, Variable
from vendorpack.project import Host, Project
from vendorpack.redact import redact_url
from vendorpack.room import Index, Keep, Workshop

ROOT: Final = "corepack"
WHY: Final = "package-manager"

_DERIVED: Final = "corepack-"
"""Begins the name of the derived digest: of what corepack hashes."""
_SIZES: Final[Mapping[str, int]] = {**SIZES, "sha224": 28}
_SCRIPT: Final = "bin/yarn.js"
_ONE_FILE: Final = "@yarnpkg/cli-dist"
_PROGRAMS: Final = "@pnpm/exe."
_FIRST_PROGRAM: Final = 12
"""pnpm's first number since it is a program."""
_HASH: Final = re.compile(r"(?P<algorithm>[a-z0-9]+)(?:\.(?P<digits>[0-9a-fA-F]+))?")
_BINS: Final[Mapping[str, Mapping[str, str]]] = {
    "npm": {"npm": "bin/npm-cli", "npx": "bin/npx-cli"},
    "pnpm": {"pnpm": "bin/pnpm", "pnpx": "bin/pnpx"},
    "yarn": {"yarn": "bin/yarn", "yarnpkg": "bin/yarn"},
}
"""Commands to the scripts that corepack runs for them, without what they end in. package.json may
name others: programs, which corepack cannot load."""
_ENDINGS: Final = (".js", ".cjs", ".mjs")
"""Of several, corepack runs the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager(Artifact):
    """A package manager's package, or one with its program.

    client: corepack's name for it.
    folder: where its files go, below `ROOT`.
    registry: whom to ask about it.
    """

    client: str
    folder: str
    registry: str

    @property
    def is_one_file(self) -> bool:
        """Whether corepack wants `_SCRIPT` of it alone."""
        return self.name == _ONE_FILE

    @property
    def is_program(self) -> bool:
        """Whether it is of no use without the package that looks for it."""
        return self.name.startswith(_PROGRAMS)


# -- what is pinned ------------------------------------------------------------------------


def managers(
    project: Project,
    options: Options,
    room: str,
    client: str,
    registry_of: Callable[[str], str],
) -> tuple[Manager, ...]:
    """The package manager that package.json pins to one version, if it is `client`; or nothing.

    room: the format's name, which its option begins with. registry_of: a package's registry.
    Raises `LockfileError` for a hash that is none, `UsageError`.
    """
    found = pinned_manager(project, options, room, client)
    if found is None:
        return ()
    pin, version, build = found
    one_file = client == "yarn" and not version.startswith(("0.", "1."))
    name = _ONE_FILE if one_file else client
    where = _where(project, pin)
    registry = registry_of(name)
    made = _artifact(name, version, registry, where, client, f"v1/{client}/{version}")
    return (replace(made, integrity=_integrity(build, one_file, where)),)


def _where(project: Project, pin: Named) -> str:
    """The line of package.json."""
    shown = str(project.lockfile.parent / MANIFEST)
    lines = decode_utf8(project.read(MANIFEST) or b"", shown).splitlines()
    key = f'"{pin.field.rpartition(".")[2]}"'
    line = next((number for number, line in enumerate(lines, 1) if key in line), None)
    return f"{shown}:{line}" if line is not None else shown


def _integrity(build: str, one_file: bool, where: str) -> Integrity:
    """The hash in the field. Corepack takes any that Node.js knows; these it has written."""
    if not build:
        return Integrity()
    match = _HASH.fullmatch(build)
    size = _SIZES.get(match["algorithm"]) if match is not None else None
    if match is None or size is None:
        raise _no_hash(build, where)
    if match["digits"] is None:
        return Integrity()
    algorithm = match["algorithm"]
    if one_file or algorithm not in SIZES:
        algorithm = _DERIVED + algorithm
    try:
        digest = Digest.from_hex(algorithm, match["digits"])
    except DigestError:
        raise _no_hash(build, where) from None
    if len(digest.value) != size:
        raise _no_hash(build, where)
    return Integrity.of([digest])


def _no_hash(build: str, where: str) -> LockfileError:
    return LockfileError(
        f"the package manager is pinned with {build[:40]!r}, which is no hash that is known",
        where=where,
        fix="Let corepack write it: `corepack use NAME@VERSION`.",
    )


def _artifact(
    name: str, version: str, registry: str, where: str, client: str, folder: str
) -> Manager:
    url = tarball_url(DEFAULT_REGISTRY, name, version)
    asked = tarball_url(registry, name, version)
    return Manager(
        name=name,
        version=version,
        purl=purl(name, version),
        url=url,
        fetch_from=(asked,) if asked != url else (),
        integrity=Integrity(),
        where=where,
        why=(WHY,),
        client=client,
        folder=folder,
        registry=registry,
    )


# -- what the registry adds ----------------------------------------------------------------


async def located(
    artifacts: Sequence[Artifact], options: Options, index: Index, room: str
) -> tuple[Artifact, ...]:
    """The same artifacts, with the registry's hashes where the field has none that counts.

    And pnpm's programs for the targets, where it is one. Raises `FetchError`, `IntegrityError`.
    """
    found: list[Artifact] = []
    for artifact in artifacts:
        if not isinstance(artifact, Manager):
            found.append(artifact)
            continue
        is_program = (
            artifact.client == "pnpm" and int(artifact.version.split(".")[0]) >= _FIRST_PROGRAM
        )
        counts = any(map(_counts, artifact.integrity.digests))
        if counts and not is_program:
            found.append(artifact)
            continue
        dist = await _dist(artifact, index, room)
        found.append(artifact if counts else _strengthened(artifact, dist))
        for program in _programs(artifact, dist, options.targets) if is_program else ():
            found.append(_strengthened(program, await _dist(program, index, room)))
    return tuple(found)


def _counts(digest: Digest) -> bool:
    return digest.algorithm.removeprefix(_DERIVED) not in WEAK


async def _dist(artifact: Manager, index: Index, room: str) -> Dist:
    release = Release(artifact.registry, artifact.name, artifact.version)
    found = await dists_from_packuments(index, [release])
    if release not in found:
        raise FetchError(
            f"the registry does not have {artifact}, the package manager that {MANIFEST} pins",
            where=f"{artifact.where}, {redact_url(packument_url(release.registry, release.name))}",
            fix=f"Pin another version, or leave it out: --{room}-{OPTION} no.",
            status=404,
        )
    return found[release]


def _strengthened(artifact: Manager, dist: Dist) -> Manager:
    """With the registry's digests beside those of the field, none of which counts."""
    streamed = Integrity.of(d for d in artifact.integrity.digests if d.streamed)
    answered = with_registry_hashes(replace(artifact, integrity=streamed), dist, artifact.registry)
    return replace(answered, integrity=answered.integrity | artifact.integrity)


def _programs(artifact: Manager, dist: Dist, targets: Sequence[Target]) -> Iterator[Manager]:
    """The packages with the program for the targets; for all platforms if there are none."""
    listed = dist.manifest.get("optionalDependencies")
    versions = listed if isinstance(listed, dict) else {}
    wanted = {_PROGRAMS + _platform(target) for target in targets}
    for name in sorted(versions):
        exact = EXACT.fullmatch(str(versions[name]))
        if name.startswith(_PROGRAMS) and exact and (name in wanted or not targets):
            folder = f"{artifact.folder}/node_modules/{name}"
            where = artifact.where
            yield _artifact(name, exact["version"], artifact.registry, where, "pnpm", folder)


def _platform(target: Target) -> str:
    """Node's words for it, as in the names of pnpm's packages: `linux-x64-musl`."""
    return "-".join((*node_platform(target), *(["musl"] if target.libc == "musl" else [])))


# -- verifying and laying out --------------------------------------------------------------


def derive(artifact: Manager, algorithm: str, path: Path) -> bytes:
    """The hash of what corepack would hash, for a digest of ours."""
    return _hash(algorithm, _hashed(artifact, path.read_bytes()))


def derive_stored(algorithm: str, path: Path) -> bytes:
    """The same over the one file that is in the bundle."""
    return _hash(algorithm, path.read_bytes())


def mismatch_hint(artifact: Manager) -> str:
    """What to do where the hash of the field is another than that of yarn.js."""
    return (
        f"The hash that {artifact.where} has must be that of {_SCRIPT} in {artifact}. If you trust "
        "the registry, let corepack write the field anew (`corepack use yarn@VERSION`)."
    )


def prepare(artifact: Manager, path: Path, keep: Keep) -> None:
    """Keep the files of one that is laid out whole, too many to hold them; and its licence."""
    if not artifact.is_one_file:
        from vendorpack.formats._shared.npm.license import keep_opened  # noqa: PLC0415 - dear

        keep_opened(PACKAGE, path, keep, str(artifact))


def layout(packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    """The entries of the package managers among `packed`, each once however it is pinned."""
    seen: set[str] = set()
    for one in packed:
        artifact = one.artifact
        if not isinstance(artifact, Manager) or artifact.folder in seen:
            continue
        seen.add(artifact.folder)
        if artifact.is_one_file:
            script = _hashed(artifact, workshop.read(one.blob))
            digest = hashlib.sha512(script).hexdigest()
            yield _entry(artifact, ".corepack", _note(artifact, ["yarn", "yarnpkg"], digest))
            yield _entry(artifact, "yarn.js", script)
            continue
        opened = PACKAGE.open(one.blob, workshop, str(artifact))
        rows = opened.rows
        if not artifact.is_program:
            rows = tuple(row for row in rows if row.path != ".corepack")
            paths = {row.path for row in rows}
            bins: dict[str, Json] = {
                command: f"./{script}"
                for command, name in _BINS[artifact.client].items()
                for script in [f"{name}{ending}" for ending in _ENDINGS]
                if script in paths
            }
            digest = hashlib.sha512(workshop.read(one.blob)).hexdigest()
            yield _entry(artifact, ".corepack", _note(artifact, bins, digest))
        for row in rows:
            yield _entry(artifact, row.path, opened.slice(row), entry_mode(row.mode))


def variables(packed: Sequence[Packed]) -> tuple[Variable, ...]:
    """What leads corepack there, and keeps it from downloading; nothing if there is none.

    Corepack before 0.31 asks for the latest release even where the project pins one.
    """
    if not any(isinstance(one.artifact, Manager) for one in packed):
        return ()
    return (
        Variable("COREPACK_DEFAULT_TO_LATEST", "0"),
        Variable("COREPACK_ENABLE_NETWORK", "0"),
        Variable("COREPACK_HOME", ROOT, is_path=True),
    )


def native_root(host: Host) -> Mapping[str, Path]:
    """Corepack's own folder."""
    configured = host.environ.get("COREPACK_HOME")
    if configured:
        return {ROOT: host.home / configured}
    caches = host.environ.get("XDG_CACHE_HOME") or host.environ.get("LOCALAPPDATA")
    if caches:
        return {ROOT: host.home / caches / "node" / "corepack"}
    own = "AppData/Local" if host.os == "windows" else ".cache"
    return {ROOT: host.home / own / "node" / "corepack"}


def is_ours(path: str) -> bool:
    """Whether a path of a bundle is one of a package manager's. What corepack has there stays."""
    return path.startswith(f"{ROOT}/")


def _entry(artifact: Manager, path: str, content: bytes | Slice, mode: int = 0o644) -> Entry:
    return Entry(f"{ROOT}/{artifact.folder}/{path}", content, mode, artifact)


def _note(artifact: Manager, bins: Json, sha512: str) -> bytes:
    """What corepack itself writes when it has downloaded what was pinned without a hash."""
    value = {
        "locator": {"name": artifact.client, "reference": artifact.version},
        "bin": bins,
        "hash": f"sha512.{sha512}",
    }
    return json.dumps(value, separators=(",", ":")).encode()


def _hashed(artifact: Manager, archive: bytes) -> bytes:
    if not artifact.is_one_file:
        return archive
    script = package_files(archive, str(artifact)).get(_SCRIPT)
    if script is None:
        raise UnsupportedError(f"{artifact} has no {_SCRIPT}", where=artifact.where)
    return bytes(script.data)


def _hash(algorithm: str, data: bytes) -> bytes:
    return hashlib.new(algorithm.removeprefix(_DERIVED), data, usedforsecurity=False).digest()
