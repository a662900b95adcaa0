"""The go that a project names, as the module that go itself downloads it as.

`golang.org/toolchain v0.0.1-goVERSION.GOOS-GOARCH` is a zip in the module cache like any other, but
go.sum has no line for it: go asks the checksum database. Here that is asked when the bundle is
made, through the module proxy, and trusted as that registry's word: the database's signature is
not checked. At the target go wants it again, unless GONOSUMDB names the module and GOPROXY is
one `file:` address (`modfetch.useSumDB`; seen with go 1.26): so `VARIABLES` has both.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from vendorpack.digest import Digest, Integrity
from vendorpack.errors import FetchError, LockfileError, UnsupportedError, UsageError
from vendorpack.formats.gomod.config import Config
from vendorpack.formats.gomod.lockfile import MANIFEST, WORKSPACE, module_file
from vendorpack.formats.gomod.modfile import directives
from vendorpack.formats.gomod.modules import DIGEST, Module, ModuleFile
from vendorpack.model import Index, Options, Project, Target, Trust, Variable

OPTION: Final = "toolchain"
TOOLCHAIN: Final = "golang.org/toolchain"

_DATABASE: Final = "sum.golang.org"
"""Name of the checksum database, as a proxy has it below `/sumdb/`."""
_MAX_ANSWER: Final = 1 << 20
_HASH_SIZE: Final = 32
_RELEASE: Final = re.compile(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9})|(?:rc|beta)\d{1,9})", re.A)
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


async def located(file: ModuleFile, index: Index) -> ModuleFile:
    """The same with the hash that the checksum database has. Raises `FetchError`."""
    module = file.module
    suffix = f"/{module.escaped}.zip"
    for number, source in enumerate(file.sources, 1):
        proxy = source.removesuffix(suffix)
        url = f"{proxy}/sumdb/{_DATABASE}/lookup/{module.path}@{module.version}"
        try:
            answer = await index.get(url, max_size=_MAX_ANSWER)
        except FetchError:
            if number < len(file.sources):
                continue
            raise
        digest = _hash_in(answer.body, module)
        if digest is None:
            raise FetchError(f"the checksum database's answer has no hash for {file}", where=url)
        return replace(file, integrity=Integrity.of([digest]), trust=Trust.REGISTRY)
    raise FetchError(f"no proxy to ask for {file}", where=file.where)


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
    version, where = max(found, key=lambda one: _order(one[0]))
    if not _RELEASE.fullmatch(version):
        raise UnsupportedError(
            f"go{version} is no release of go, such as go1.22.0, that can be packed",
            where=where,
            fix="Name one: `go get toolchain@go1.N.P`, or `go work edit -toolchain go1.N.P`.",
        )
    return version, where


def _order(version: str) -> tuple[int, int, int, bool]:
    """For comparison: 1.22 < 1.22rc1 < 1.22.0, as go has it."""
    match = re.match(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?", version, re.A)
    if match is None:
        return (-1, -1, -1, False)
    patch = int(match[3]) if match[3] else -1
    return (int(match[1]), int(match[2]), patch, match.end() < len(version))


def _hash_in(answer: bytes, module: Module) -> Digest | None:
    """The hash of a module's zip in an answer of the checksum database."""
    for line in answer.decode(errors="replace").splitlines():
        words = line.split(" ")
        if words[:2] == [module.path, module.version] and len(words) == 3:
            kind, _, value = words[2].partition(":")
            try:
                raw = base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                return None
            return Digest(DIGEST, raw) if kind == DIGEST and len(raw) == _HASH_SIZE else None
    return None
