"""What a bundle may hold: the caches of its formats, and nothing else.

Every format says (in the table of rooms) which paths are its cache and which variables it sets.
A bundle with any other path or variable is refused, when it is packed and whenever it is opened:
whoever made it, it cannot put a program or a setting where one is looked for. `vendorpack.env`
is computed from the manifest and compared. Of a format that is not known here neither can be
checked; such a bundle is not put into native caches, and its variables are not set.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from vendorpack.dataclass import dataclass
from vendorpack.environment import ENV_NAME, env_file
from vendorpack.errors import BundleError, UnsupportedError
from vendorpack.model import Arguments, Environment, Variable

if TYPE_CHECKING:
    from vendorpack.bundle.manifest import Manifest
    from vendorpack.bundle.table import File

GIT_CONFIGS: Final = (
    b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
    b"[core]\n\trepositoryformatversion = 1\n\tbare = true\n"
    b"[extensions]\n\tobjectFormat = sha256\n",
)
"""The only `config` files of git repositories: with any other, git may be made to run programs."""

_GIT_FILES: Final = (
    "HEAD",
    "config",
    "info/grafts",
    "objects/pack/pack-*.idx",
    "objects/pack/pack-*.pack",
    "refs",
    "refs/**",
    "shallow",
)
_GIT_CONFIG_HASHES: Final = frozenset(hashlib.sha256(text).hexdigest() for text in GIT_CONFIGS)

_HOST: Final = r"(?:[A-Za-z0-9._~-]+@)?[A-Za-z0-9.\[\]:_-]+"
_ADDRESS: Final = re.compile(
    rf"(?:[a-z]+\+)?(?:https?|ssh|git)://{_HOST}(?:/[^\s\"'`$\\<>]*)?|file:///[^\s\"'`$\\<>]*"
)
_GIT_ADDRESS: Final = re.compile(
    rf"[a-z][a-z0-9+.-]*://{_HOST}/\S+|{_HOST}:(?!//)\S+|(?:file://)?/\S+"
)
_PLACEHOLDER: Final = "[A-Z0-9_]+"


@dataclass(frozen=True, slots=True)
class Setting:
    """A variable that a format's bundles may set. Made by `word`, `path` and `address`.

    name: one `*` in it stands for letters, digits and `_`, in upper case.
    words: the values it may have. path: the one path of the bundle that it may have instead, and
        scheme: what goes before it.
    Neither: any address, without a password.
    """

    name: str
    words: tuple[str, ...] = ()
    path: str | None = None
    scheme: str = ""

    def allows(self, variable: Variable) -> bool:
        """Whether this is the variable, with a value that it may have."""
        before, star, after = self.name.partition("*")
        named = re.escape(before) + (_PLACEHOLDER if star else "") + re.escape(after)
        if not re.fullmatch(named, variable.name):
            return False
        if variable.is_path or self.path is not None:
            given = (variable.is_path, variable.value, variable.scheme)
            return given == (True, self.path, self.scheme)
        if self.words:
            return variable.value in self.words
        return _ADDRESS.fullmatch(variable.value) is not None


def word(name: str, *words: str) -> Setting:
    """A variable that is one of a few words."""
    return Setting(name, words=words)


def path(name: str, value: str, scheme: str = "") -> Setting:
    """A variable that is a folder of the bundle, with `file://` before it if that is the scheme."""
    return Setting(name, path=value, scheme=scheme)


def address(name: str) -> Setting:
    """A variable that is the address of a registry."""
    return Setting(name)


@dataclass(frozen=True, slots=True)
class Boundary:
    """What a bundle of one format may hold.

    paths: patterns of files and empty folders. `*` is any text of one part of a path, of a
        part's beginning only if that is no dot; `/**` at the end is all below.
    repositories: the same of folders that are bare git repositories.
    texts: path and sha256 of files that a client takes for code: they have this text or none.
    artifacts: those of the paths where only artifacts lie, as they came or in the form that their
        digest is over. made: of these, what the format writes itself all the same.
    settings: the variables. arguments: those that hold arguments, with every word there may be.
    """

    paths: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    artifacts: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    arguments: tuple[Arguments, ...] = ()

    def __or__(self, other: Boundary) -> Boundary:
        """What either may hold."""
        return Boundary(
            self.paths + other.paths,
            self.repositories + other.repositories,
            self.texts + other.texts,
            self.artifacts + other.artifacts,
            self.made + other.made,
            self.settings + other.settings,
            self.arguments + other.arguments,
        )


Lookup = Callable[[str], Boundary | None]
"""The boundary of a format; None if there is none of that name here."""


def check_opened(manifest: Manifest, boundary_of: Lookup) -> tuple[str, ...]:
    """Check a bundle's manifest; the names of its formats that are not known here.

    Raises `BundleError` for a file, a variable or a `vendorpack.env` that is not as it must be.
    """
    head = manifest.head
    _check_env(manifest.files, head.environment)
    found = {name: boundary_of(name) for name in sorted(head.layouts)}
    unknown = tuple(name for name, boundary in found.items() if boundary is None)
    if not unknown:
        whole = functools.reduce(Boundary.__or__, filter(None, found.values()), Boundary())
        newer = "If a newer vendorpack made it, update this one. Else somebody made it to do harm."
        if (wrong := outside(whole, manifest.files)) is not None:
            raise BundleError(
                f"the bundle holds {wrong!r}, which is no part of a cache of "
                f"{_listed(head.layouts)}",
                fix=newer,
            )
        if (what := foreign(whole, head.environment)) is not None:
            raise BundleError(
                f"the bundle sets {what}, which bundles of {_listed(head.layouts)} do not",
                fix=newer,
            )
    return unknown


def refuse_unknown(unknown: Sequence[str]) -> None:
    """Raise `BundleError` if a bundle has formats that are not known here."""
    if unknown:
        raise BundleError(
            f"no format is named {' or '.join(map(repr, unknown))} here: what a bundle of it may "
            "set or replace cannot be checked",
            fix="Install the package that brings it; or unpack to a folder with --prefix, and read "
            f"{ENV_NAME} before you source it.",
        )


def check_packed(name: str, boundary: Boundary, environment: Environment) -> None:
    """Check what a room says that the target needs. Raises `UnsupportedError`."""
    if (what := foreign(boundary, environment)) is not None:
        raise UnsupportedError(
            f"a bundle of {name} cannot set {what}",
            fix="Look at where the address comes from: the lockfile, or a setting beside it.",
        )


def outside(boundary: Boundary, files: Iterable[File]) -> str | None:
    """The first path that is not within the boundary; None if all are."""
    within = compiled(boundary)
    for file in files:
        if not within(file.path, file.sha256) and file.path != ENV_NAME:
            return file.path
    return None


def foreign(boundary: Boundary, environment: Environment) -> str | None:
    """The first variable or git address that is not within the boundary; None if all are."""
    for variable in environment.variables:
        if not any(setting.allows(variable) for setting in boundary.settings):
            return f"{variable.name} to {variable.value!r}"
    words = {(given.name, word) for given in boundary.arguments for word in given.words}
    for given in environment.arguments:
        for one in given.words:
            if (given.name, one) not in words:
                return f"{given.name} to {one.text + one.path!r}"
    repository = _pattern(boundary.repositories)
    for url, folder in environment.git_sources:
        if not _GIT_ADDRESS.fullmatch(url) or not repository.fullmatch(folder):
            return f"git to read {folder!r} for {url!r}"
    return None


@functools.lru_cache(maxsize=8)
def compiled(boundary: Boundary) -> Callable[[str, str | None], bool]:
    """Whether a path, and the sha256 of what is there (None: an empty folder), is within."""
    below = tuple(p.removesuffix("**") for p in boundary.paths if p.find("*") == len(p) - 2)
    others = _pattern([p for p in boundary.paths if p.removesuffix("**") not in below])
    git = _pattern([f"{folder}/{file}" for folder in boundary.repositories for file in _GIT_FILES])
    config = _pattern([f"{folder}/config" for folder in boundary.repositories])

    def within(path: str, sha256: str | None) -> bool:
        if path.startswith(below) and path not in below:
            return True
        if (path, sha256) in boundary.texts:
            return True
        plain = path.removesuffix("/")
        if others.fullmatch(plain):
            return True
        if not git.fullmatch(plain):
            return False
        return sha256 in _GIT_CONFIG_HASHES or not config.fullmatch(plain)

    return within


def _pattern(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(_expression, patterns)) or "(?!)", re.DOTALL)


def _expression(pattern: str) -> str:
    parts = [
        ".+"
        if part == "**"
        else ("(?!\\.)" if part[0] == "*" else "")
        + "[^/]*".join(re.escape(text) for text in part.split("*"))
        for part in pattern.split("/")
    ]
    return "/".join(parts)


def _check_env(files: Sequence[File], environment: Environment) -> None:
    row = next((file for file in files if file.path == ENV_NAME), None)
    if row is None:
        if environment != Environment():
            raise BundleError(f"the bundle has variables but no {ENV_NAME}")
        return
    text = env_file(environment)
    if row.sha256 != hashlib.sha256(text).hexdigest() or row.mode != 0o644:
        raise BundleError(
            f"the bundle's {ENV_NAME} is not the one that its manifest makes",
            fix="If another version of vendorpack made it, use that one, or pack again. "
            "Do not source it.",
        )


def _listed(layouts: Mapping[str, int]) -> str:
    return ", ".join(sorted(layouts)) or "no format"
