"""go.sum, and go.work with the go.sum of its members.

A line `MODULE VERSION h1:…` wants the module's zip, `MODULE VERSION/go.mod h1:…` its go.mod. After
`go mod tidy` that is all that building, vetting and testing on any platform needs; stale lines
are a harmless superset. As go does, hashes of kinds other than h1 are passed over, and that of an
empty go.mod, which an early go wrote for what is no module.

A workspace's hashes are go.work.sum and its members' go.sum together.
"""

from __future__ import annotations

import base64
import binascii
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from vendorpack.digest import Digest, Integrity
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats.gomod.config import Config
from vendorpack.formats.gomod.hashes import mod_hash
from vendorpack.formats.gomod.modfile import directives
from vendorpack.formats.gomod.modules import (
    DEFAULT_PROXY,
    DIGEST,
    Module,
    ModuleFile,
    Suffix,
    go_order,
    module_purl,
)
from vendorpack.formats.gomod.repositories import known_repository
from vendorpack.model import Warning
from vendorpack.project import Project

WORKSPACE: Final = "go.work"
MANIFEST: Final = "go.mod"
"""Taken for the lockfile where a project has no go.sum, since it needs none."""
SUMS: Final = "go.sum"
WORKSPACE_SUMS: Final = "go.work.sum"

_VENDORED: Final = "vendor/modules.txt"

NEWEST: Final = (1, 27)
"""The newest go that bundles were tested with."""
_CHECKED_VENDOR: Final = (1, 14)
_HASH_SIZE: Final = 32
_OF_NO_MODULE: Final = Digest(DIGEST, mod_hash(b""))


def sum_files(project: Project) -> list[tuple[str, bytes]]:
    """Path (relative to the root) and bytes of every file of hashes that is there."""
    folder = project.lockfile.parent
    if project.lockfile.name not in (WORKSPACE, MANIFEST):
        return [(project.where(), project.lock_bytes())]
    if project.lockfile.name == MANIFEST:
        names = [SUMS]
    else:
        names = [WORKSPACE_SUMS, *(f"{member}/{SUMS}" for member in members(project))]
    found = ((str(folder / name), project.read(name)) for name in names)
    return [(path, data) for path, data in found if data is not None]


def members(project: Project) -> list[str]:
    """The folders that a go.work uses, relative to it, sorted."""
    data = project.lock_bytes()
    used = {
        str(PurePosixPath(arguments[0]))
        for verb, arguments, _ in directives(data, project.where())
        if verb == "use" and arguments
    }
    return sorted(used)


def packages_in(member: str) -> str:
    """The pattern for all packages of a workspace's member."""
    if member == ".":
        return "./..."
    return f"{member}/..." if member.startswith(("/", "..")) else f"./{member}/..."


def read_sums(files: list[tuple[str, bytes]], config: Config) -> list[ModuleFile]:
    """The artifacts of all lines, each once, sorted.

    Raises `LockfileError` for what is not such a file, or for two hashes of one thing, and
    `UnsupportedError` where the configuration leaves no proxy to ask.
    """
    found: dict[tuple[Module, Suffix], ModuleFile] = {}
    for path, data in files:
        for module, suffix, digest, where in _lines(data, path):
            known = found.get((module, suffix))
            if known is None:
                found[module, suffix] = module_file(module, suffix, digest, where, config)
            elif known.digest != digest:
                raise LockfileError(
                    f"{module.path} {module.version} has another hash here than in {known.where}",
                    where=where,
                )
    return [found[key] for key in sorted(found)]


def warnings(project: Project, *, with_toolchain: bool = False) -> Iterator[Warning]:
    """What a go.mod beside the lockfile says that a bundle does not keep."""
    mod = MANIFEST if project.lockfile.name != WORKSPACE else WORKSPACE
    data = project.read(mod)
    path = str(project.lockfile.parent / mod)
    said = list(directives(data or b"", path))
    named = any(verb == "toolchain" and arguments for verb, arguments, _ in said)
    for verb, arguments, where in [] if with_toolchain else said:
        if verb == "go" and arguments and not named and _is_newer(arguments[0]):
            yield Warning(
                f"toolchains are not packed: the target needs go {arguments[0]} or newer "
                "by itself, unless --gomod-toolchain yes packs it",
                where,
            )
        if verb == "toolchain" and arguments:
            yield Warning(
                f"toolchains are not packed: the target needs a go that satisfies {path} by itself "
                f"({arguments[0]} is what it names), unless --gomod-toolchain yes packs it",
                where,
            )
    vendored = project.read(_VENDORED)
    if vendored is not None:
        vendor = str(project.lockfile.parent / "vendor")
        yield Warning("go builds from vendor/ by default and then needs no bundle", vendor)
        for what in _inconsistent(vendored, said) if mod == MANIFEST else ():
            yield Warning(
                f"go refuses to build: vendor/modules.txt and go.mod disagree about {what}; "
                "`go mod vendor` writes it anew, or build with -mod=mod",
                f"{vendor}/modules.txt",
            )


def _inconsistent(vendored: bytes, said: list[tuple[str, list[str], str]]) -> list[str]:
    """Modules that go.mod requires at another version than vendor/modules.txt has.

    `# PATH VERSION[ => …]`, and on the next line `## explicit` for what go.mod requires
    (`modload.checkVendorConsistency`; not before go 1.14.)
    """
    go = next((go_order(words[0]) for verb, words, _ in said if verb == "go" and words), None)
    if go and go < _CHECKED_VENDOR:
        return []
    required = {(w[0], w[1]) for verb, w, _ in said if verb == "require" and len(w) == 2}
    lines = vendored.decode(errors="replace").splitlines()
    explicit = {
        (words[1], words[2])
        for line, below in itertools.pairwise(lines)
        if len(words := line.split()) > 2 and words[0] == "#" and below.startswith("## explicit")
    }
    return sorted({path for path, _ in required ^ explicit})


def _is_newer(version: str) -> bool:
    """Whether a `go` line asks for more than the newest go that is known here."""
    return go_order(version)[:2] > NEWEST


def _lines(data: bytes, path: str) -> Iterator[tuple[Module, Suffix, Digest, str]]:
    for number, raw in enumerate(data.split(b"\n"), 1):
        where = f"{path}:{number}"
        try:
            fields = raw.decode("ascii").split()
        except UnicodeDecodeError:
            raise LockfileError("the line is not plain ASCII", where=where) from None
        if not fields:
            continue
        if len(fields) != 3:
            raise LockfileError(
                f"the line has {len(fields)} fields and not module, version and hash", where=where
            )
        name, version, text = fields
        suffix: Suffix = "mod" if version.endswith("/go.mod") else "zip"
        module = Module(name, version.removesuffix("/go.mod"))
        if not module.is_valid:
            raise LockfileError(f"not a module: {name!r} {version!r}", where=where)
        kind, colon, value = text.partition(":")
        if not colon:
            raise LockfileError("the hash has no kind", where=where)
        if kind == DIGEST and (digest := _digest(value, where)) != _OF_NO_MODULE:
            yield module, suffix, digest, where


def _digest(value: str, where: str) -> Digest:
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _HASH_SIZE:
        raise LockfileError("the hash is not 32 bytes in base64", where=where)
    return Digest(DIGEST, raw)


def module_file(
    module: Module, suffix: Suffix, digest: Digest | None, where: str, config: Config
) -> ModuleFile:
    """What to download. Raises `UnsupportedError` where no proxy may be asked."""
    file = ModuleFile(
        name=module.path,
        version=module.version,
        purl=module_purl(module, suffix),
        url=None,
        integrity=Integrity.of([digest] if digest else []),
        where=where,
        suffix=suffix,
    )
    if config.is_direct(module.path):
        insecure = config.is_insecure(module.path)
        repository = None if insecure else known_repository(module.path)
        url = repository.address(module) if repository else None
        return replace(file, url=url, is_direct=True, repository=repository, insecure=insecure)
    if not config.proxies:
        raise UnsupportedError(
            f"GOPROXY leaves no proxy to ask for {module.path}",
            where=where,
            fix=f"Set GOPROXY to a module proxy, such as {DEFAULT_PROXY}.",
        )
    sources = [f"{proxy}/{module.escaped}.{suffix}" for proxy in config.proxies]
    canonical = f"{DEFAULT_PROXY}/{module.escaped}.{suffix}"
    mirrors = () if sources == [canonical] else tuple(sources)
    return replace(
        file,
        url=canonical,
        fetch_from=mirrors,
        only_if_absent=config.only_if_absent,
        direct_behind=config.direct_behind,
    )
