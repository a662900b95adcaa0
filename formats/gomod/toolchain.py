"""The go that a project names, as the module that go itself downloads it as.

`golang.org/toolchain v0.0.1-goVERSION.GOOS-GOARCH` is a zip in the module cache like any other, but
go.sum has no line for it: go asks the checksum database. Here that is asked when the bundle is
made, and its signature checked: see `sumdb`. At the target go wants it again, unless GONOSUMDB
names the module and GOPROXY is one `file:` address (`modfetch.useSumDB`; seen with go 1.21 and
1.26): so `VARIABLES` has both. It then takes the zip as it is. The database's own answers would let
it check, but their signed tree is another one every day.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from vendorpack.digest import Digest, Integrity
from vendorpack.errors import FetchError, LockfileError, UnsupportedError, UsageError
from vendorpack.formats.gomod.config import Config
from vendorpack.formats.gomod.lockfile import MANIFEST, WORKSPACE, module_file
from vendorpack.formats.gomod.modfile import directives
from vendorpack.formats.gomod.modules import DIGEST, Module, ModuleFile, go_order, is_release
from vendorpack.formats.gomod.sumdb import Database, looked_up
from vendorpack.model import Options, Target, Trust, Variable
from vendorpack.project import Project
from vendorpack.room import Index

OPTION: Final = "toolchain"
TOOLCHAIN: Final = "golang.org/toolchain"

_HASH_SIZE: Final = 32
VARIABLES: Final = (
    Variable("GONOSUMDB", TOOLCHAIN),
    Variable("GOPROXY", "go/cache/download", is_path=True, scheme="file://"),
    Variable("GOTOOLCHAIN", "auto"),
)
"""In place of `GOPROXY=off` and `GOTOOLCHAIN=local`."""

_OS: Final = {"macos": "darwin", "sunos": "solaris"}
_CPU: Final = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}


def wanted(options: Options) -> bool:
    """Whether the toolchain is asked for. Raises `UsageError`."""
    value = options.extra.get(f"gomod-{OPTION}", "no")
    if value not in ("yes", "no"):
        raise UsageError(f"gomod-{OPTION} is {value!r}", fix="Give 'yes' or 'no'.")
    return value == "yes"


def platforms(targets: Sequence[Target]) -> list[str]:
    """`GOOS-GOARCH` of the targets, sorted. Raises `UsageError` if all are meant."""
    if not targets:
        raise UsageError(
            f"--gomod-{OPTION} and --all-targets: there are some 40 toolchains of each release",
            fix="Name the platforms, each with --target.",
        )
    return sorted({f"{_OS.get(t.os, t.os)}-{_CPU.get(t.cpu, t.cpu)}" for t in targets})


def toolchains(project: Project, targets: Sequence[Target], config: Config) -> list[ModuleFile]:
    """The toolchain that go.mod or go.work names, for each platform; without a hash.

    Raises `LockfileError` if none is named, or no release.
    """
    version, where = _named(project)
    return [
        module_file(Module(TOOLCHAIN, f"v0.0.1-go{version}.{one}"), "zip", None, where, config)
        for one in platforms(targets)
    ]


def is_toolchain(file: ModuleFile) -> bool:
    """Whether it is one of `toolchains`."""
    return file.name == TOOLCHAIN and not file.integrity


async def located(file: ModuleFile, index: Index, database: Database) -> ModuleFile:
    """The same with the hash that the checksum database has.

    Raises what `sumdb.looked_up` does, of the last place where the database is to be had.
    """
    module = file.module
    suffix = f"/{module.escaped}.zip"
    proxies = [source.removesuffix(suffix) for source in file.sources]
    behind = [] if database.url else [f"{proxy}/sumdb/{database.name}" for proxy in proxies]
    bases = [*behind, database.address]
    for number, base in enumerate(bases, 1):
        try:
            lines = await looked_up(database, base, f"{module.path}@{module.version}", index)
        except FetchError:
            if number < len(bases):
                continue
            raise
        digest = _hash_in(lines, module)
        if digest is None:
            raise FetchError(f"the checksum database's answer has no hash for {file}", where=base)
        return replace(file, integrity=Integrity.of([digest]), trust=Trust.REGISTRY)
    raise AssertionError("the last one returned or raised")


def _named(project: Project) -> tuple[str, str]:
    """The version that go switches to, and where it stands: the newer one of both lines."""
    name = WORKSPACE if project.lockfile.name == WORKSPACE else MANIFEST
    path = str(project.lockfile.parent / name)
    found = [
        (words[0].removeprefix("go"), where)
        for verb, words, where in directives(project.read(name) or b"", path)
        if verb in ("go", "toolchain") and words and words[0] != "default"
    ]
    if not found:
        raise LockfileError(
            "no toolchain is named here",
            where=path,
            fix="Add one: `go get toolchain@go1.N.P`, or `go work edit -toolchain go1.N.P`.",
        )
    version, where = max(found, key=lambda one: go_order(one[0]))
    if not is_release(version):
        raise UnsupportedError(
            f"go{version} is no release of go, such as go1.22.0, that can be packed",
            where=where,
            fix="Name one: `go get toolchain@go1.N.P`, or `go work edit -toolchain go1.N.P`.",
        )
    return version, where


def _hash_in(record: str, module: Module) -> Digest | None:
    """The hash of a module's zip in a record of the checksum database."""
    for line in record.splitlines():
        words = line.split(" ")
        if words[:2] == [module.path, module.version] and len(words) == 3:
            kind, _, value = words[2].partition(":")
            try:
                raw = base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                return None
            return Digest(DIGEST, raw) if kind == DIGEST and len(raw) == _HASH_SIZE else None
    return None
