"""Modules: their names, their addresses below a proxy, and the files that are downloaded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

from vendorpack.digest import Digest
from vendorpack.model import Artifact

DEFAULT_PROXY: Final = "https://proxy.golang.org"
"""Where the go command gets modules from by default."""
DIGEST: Final = "h1"
"""Name of the derived digest of go.sum: see `vendorpack.formats.gomod.hashes`."""

Suffix: TypeAlias = Literal["mod", "zip"]

_PATH: Final = re.compile(r"(?!.{256})(?!.*(?:^|/)\.)(?!.*\.(?:/|$))[-.~\w]+(?:/[-.~\w]+)*", re.A)
_VERSION: Final = re.compile(
    r"v\d{1,20}\.\d{1,20}\.\d{1,20}(?:-[0-9A-Za-z.-]{1,128})?(?:\+incompatible)?", re.A
)


@dataclass(frozen=True, slots=True, order=True)
class Module:
    """A module at a version, such as `example.com/x v1.2.3`."""

    path: str
    version: str

    @property
    def is_valid(self) -> bool:
        """Whether both are as go's `module.Check` wants them: safe in addresses and paths."""
        return bool(_PATH.fullmatch(self.path) and _VERSION.fullmatch(self.version))

    @property
    def escaped(self) -> str:
        """`<path>/@v/<version>` of a proxy and of the module cache, without a suffix."""
        return f"{_escaped(self.path)}/@v/{_escaped(self.version)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFile(Artifact):
    """The `.zip` of a module at a version, or its go.mod (`.mod`)."""

    suffix: Suffix

    @property
    def module(self) -> Module:
        """What it is a file of."""
        return Module(self.name, self.version)

    @property
    def digest(self) -> Digest:
        """Its line in go.sum."""
        return self.integrity.digests[0]


def module_purl(module: Module, suffix: Suffix) -> str:
    """The package URL. Case is kept: paths that differ in it are different modules."""
    path = f"#go.{suffix}" if suffix == "mod" else ""
    return f"pkg:golang/{module.path}@{quote(module.version, safe='')}{path}"


def _escaped(text: str) -> str:
    """Capitals as `!` and the small letter: file systems may not tell them apart."""
    return re.sub("[A-Z]", lambda match: "!" + match[0].lower(), text)
