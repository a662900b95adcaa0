"""Modules: their names, their addresses at a proxy or in a repository, and their files."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

from vendorpack.dataclass import dataclass
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

_GO: Final = re.compile(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9})|(rc|beta)(\d{1,9}))?", re.A)
_MAJOR: Final = re.compile(r"(.+?)(/v(?:[2-9]|[1-9]\d+))", re.A)
_MAJOR_OF_GOPKG: Final = re.compile(r"(gopkg\.in/.+?)(\.v(?:0|[1-9]\d*)(?:-unstable)?)", re.A)
_PSEUDO: Final = re.compile(
    r"v\d+\.(?:0\.0-|\d+\.\d+-(?:[^+]*\.)?0\.)\d{14}-([0-9a-f]{12})(?:\+incompatible)?", re.A
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


@dataclass(frozen=True, slots=True, order=True)
class Repository:
    """A git repository that modules are kept in.

    A version names a commit: the tag `[FOLDER/]vX.Y.Z`, or the twelve digits that a pseudo-version
    ends with. (cmd/go of 1.26: internal/modfetch/coderepo.go.)

    root: the module path that its root has. folder: where in it that root is; often empty.
    """

    url: str
    root: str
    folder: str = ""

    def address(self, module: Module) -> str:
        """Of the commit that a module's version names."""
        pseudo = _PSEUDO.fullmatch(module.version)
        if pseudo:
            return f"git+{self.url}#{pseudo[1]}"
        folder = self.folder_of(module)
        tag = (f"{folder}/" if folder else "") + module.version.removesuffix("+incompatible")
        return f"git+{self.url}?{quote(f'refs/tags/{tag}')}"

    def folder_of(self, module: Module) -> str:
        """Where in the repository the module is, but for a folder that its major version has."""
        below = ""
        if module.path != self.root:
            below = split_major(module.path)[0].removeprefix(self.root).strip("/")
        return "/".join(part for part in (below, self.folder) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFile(Artifact):
    """The `.zip` of a module at a version, or its go.mod (`.mod`)."""

    suffix: Suffix
    repository: Repository | None = None
    """Where it is kept, if it comes from version control and that is known."""
    is_direct: bool = False
    """Whether it comes from version control."""
    insecure: bool = False
    """Whether that may be asked over plain http."""
    direct_behind: bool = False
    """Whether go would ask version control for it where no proxy has it."""

    @property
    def module(self) -> Module:
        """What it is a file of."""
        return Module(self.name, self.version)

    @property
    def digest(self) -> Digest:
        """Its line in go.sum."""
        return self.integrity.digests[0]


def split_major(path: str) -> tuple[str, str]:
    """A module path without its major version, and that: `/v2`, or `.v2` at gopkg.in, or none."""
    rule = _MAJOR_OF_GOPKG if path.startswith("gopkg.in/") else _MAJOR
    match = rule.fullmatch(path)
    return (match[1], match[2]) if match else (path, "")


def version_order(version: str) -> tuple[object, ...]:
    """For comparison, as semantic versions have it: a pre-release is before its release.

    What is no version at all comes first.
    """
    if not _VERSION.fullmatch(version):
        return ()
    base, _, before = version.partition("+")[0].partition("-")
    numbers = tuple(int(part) for part in base.removeprefix("v").split("."))
    words = before.split(".") if before else []
    order = tuple((0, int(w), "") if w.isdigit() else (1, 0, w) for w in words)
    return (numbers, not words, order)


def go_order(version: str) -> tuple[int | str, ...]:
    """For comparison of go's own versions: 1.22 < 1.22beta1 < 1.22rc1 < 1.22rc2 < 1.22.0.

    Of 1.22 and those after it, `(1, 22)` is the beginning. What is no version comes first.
    """
    match = _GO.match(version)
    if match is None:
        return ()
    major, minor, patch, kind, number = match.groups()
    return (int(major), int(minor), int(patch or -1), kind or "", int(number or 0))


def is_release(version: str) -> bool:
    """Whether a go was released as that: `1.22.0` and `1.22rc1`, but not `1.22`."""
    match = _GO.fullmatch(version)
    return match is not None and bool(match[3] or match[4])


def module_purl(module: Module, suffix: Suffix) -> str:
    """The package URL. Case is kept: paths that differ in it are different modules."""
    path = f"#go.{suffix}" if suffix == "mod" else ""
    return f"pkg:golang/{module.path}@{quote(module.version, safe='')}{path}"


def _escaped(text: str) -> str:
    """Capitals as `!` and the small letter: file systems may not tell them apart."""
    return re.sub("[A-Z]", lambda match: "!" + match[0].lower(), text)
