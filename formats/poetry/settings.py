"""What pyproject.toml and Poetry's own configuration add to a lockfile.

From `pyproject.toml` beside the lockfile, if it is there:

- `[[tool.poetry.source]]`: the indexes' names and addresses;
- which groups are optional, and so not installed unasked;
- the project's own dependencies, where the lockfile (before 2.1) has no markers and the
  groups have to be found by walking.

From `poetry.toml` beside it, which travels with the project: `installer.no-binary` and
`installer.only-binary`. What Poetry is told elsewhere of these is a matter of one machine.

Credentials are `POETRY_HTTP_BASIC_<NAME>_USERNAME` and `…_PASSWORD`, then `[http-basic.<name>]`
in `auth.toml` of Poetry's configuration folder, then userinfo in a source's address.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.python.index import (
    DEFAULT_FILES,
    DEFAULT_INDEX,
    normalize,
    without_userinfo,
)
from vendorpack.formats._shared.python.wheels import EITHER, Binary
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.formats._shared.text.toml_text import Table, load_toml
from vendorpack.formats.poetry.lockfile import MAIN
from vendorpack.model import Access, Credential
from vendorpack.project import Host, Project
from vendorpack.redact import redact_url

DEFAULT_REPOSITORY: Final = "PyPI"
"""Poetry's name for the default index."""
_DEV: Final = "dev"
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_REPOSITORY: Final = re.compile(r"(?!\.)[^/\\\x00-\x1f\x7f]{1,200}")
_SECOND: Final = ("secondary", "supplemental")
_PRIORITIES: Final = ("default", "primary", *_SECOND)
"""The first and the third are those of Poetry 1."""
_NOT_IN_VARIABLE: Final = re.compile(r"[^A-Z0-9]")
_SWITCH: Final = {"true": [":all:"], "1": [":all:"], "false": [":none:"], "0": [":none:"]}
_FOLDERS: Final = {
    "linux": (".cache/pypoetry", ".config/pypoetry"),
    "macos": ("Library/Caches/pypoetry", "Library/Application Support/pypoetry"),
    "windows": ("AppData/Local/pypoetry/Cache", "AppData/Roaming/pypoetry"),
}
"""Cache and configuration below the home folder."""


@dataclass(frozen=True, slots=True, order=True)
class Repository:
    """An index as Poetry knows it. `url`: without userinfo and slash at the end."""

    name: str
    url: str

    @property
    def is_default(self) -> bool:
        """Whether it is PyPI, which Poetry asks in another way than all others."""
        return self.name == DEFAULT_REPOSITORY

    @property
    def base(self) -> str:
        """The simple index's address."""
        return DEFAULT_INDEX if self.is_default else self.url


PYPI: Final = Repository(DEFAULT_REPOSITORY, DEFAULT_INDEX)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is in force.

    roots: group to the (normalised) names it asks for itself; None without a pyproject.toml.
    optional_groups: groups that are not installed unasked.
    repositories: indexes that build requirements are looked up on, in order.
    fallbacks: addresses of those that are supplemental.
    has_equals: whether several of them are primary, or several supplemental.
    sources: addresses of all indexes that the project names, explicit ones too.
    binary: whose wheels, or sdists, are not taken.
    has_build_script: whether the project itself has one; only then Poetry needs its build
        requirements to install it.
    """

    roots: Mapping[str, tuple[str, ...]] | None = None
    optional_groups: tuple[str, ...] = ()
    repositories: tuple[Repository, ...] = (PYPI,)
    fallbacks: frozenset[str] = frozenset()
    has_equals: bool = False
    sources: tuple[str, ...] = ()
    binary: Binary = EITHER
    has_build_script: bool = False
    _credentials: tuple[Credential, ...] = field(default=(), repr=False)

    def access(self) -> Access:
        """Where the configuration lets us go."""
        urls = [DEFAULT_INDEX, DEFAULT_FILES, *self.sources, *(r.url for r in self.repositories)]
        return Access(
            origins=frozenset(_origin(url) for url in urls), credentials=self._credentials
        )


def load_settings(project: Project) -> Settings:
    """Read what lies beside the lockfile. Raises `LockfileError`."""
    binary = _binary(project)
    path = str(project.lockfile.parent / "pyproject.toml")
    data = project.read("pyproject.toml")
    if data is None:
        return Settings(binary=binary)
    document = load_toml(data, path)
    poetry = _table(_table(document, "tool"), "poetry")
    sources = list(_sources(poetry, path)) if project.trusted else []
    groups = _table(poetry, "group")
    return Settings(
        roots=_roots(document, poetry),
        optional_groups=tuple(
            sorted(name for name in groups if _table(groups, name).get("optional") is True)
        ),
        repositories=_searched(sources),
        fallbacks=frozenset(s.repository.base for s in sources if s.priority in _SECOND),
        has_equals=max(Counter(s.priority in _SECOND for s in _asked(sources)).values(), default=0)
        > 1,
        sources=tuple(s.repository.url for s in sources),
        binary=binary,
        has_build_script=_has_build_script(poetry.get("build")),
        _credentials=tuple(_credentials(sources, project.host)),
    )


def cache_root(host: Host) -> Path:
    """Where Poetry keeps its cache."""
    configured = host.environ.get("POETRY_CACHE_DIR")
    return Path(configured) if configured else _folder(host, 0, "XDG_CACHE_HOME", "LOCALAPPDATA")


def _config_root(host: Host) -> Path:
    configured = host.environ.get("POETRY_CONFIG_DIR")
    return Path(configured) if configured else _folder(host, 1, "XDG_CONFIG_HOME", "APPDATA")


def _folder(host: Host, which: int, xdg: str, windows: str) -> Path:
    default = _FOLDERS.get(host.os, _FOLDERS["linux"])[which]
    if host.os == "windows" and host.environ.get(windows):
        return Path(host.environ[windows], default.split("/", 2)[2])
    if host.os == "linux" and host.environ.get(xdg):
        return Path(host.environ[xdg], default.partition("/")[2])
    return host.home / default


def _has_build_script(build: Any) -> bool:
    """Whether `build`, a path or a table, names a script."""
    return bool(build.get("script") if isinstance(build, Mapping) else build)


# -- wheels or sdists ----------------------------------------------------------------------


def _binary(project: Project) -> Binary:
    """What `poetry.toml` says of it."""
    data = project.read("poetry.toml")
    if data is None:
        return EITHER
    path = str(project.lockfile.parent / "poetry.toml")
    installer = _table(load_toml(data, path), "installer")
    return Binary(
        only=frozenset(_policy(installer.get("only-binary"))),
        none=frozenset(_policy(installer.get("no-binary"))),
    )


def _policy(value: Any) -> Iterator[str]:
    """Normalised names and `:all:`, of a list or, as an older Poetry writes it, of a text."""
    if isinstance(value, str):
        value = _SWITCH.get(value.lower()) or value.split(",")
    for name in value if isinstance(value, list) else []:
        if isinstance(name, str) and name.strip():
            yield name.strip() if name.strip().startswith(":") else normalize(name.strip())


# -- sources -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Source:
    repository: Repository
    priority: str
    address: str = field(repr=False)


def _sources(poetry: Table, where: str) -> Iterator[_Source]:
    raw = poetry.get("source", [])
    for table in raw if isinstance(raw, list) else []:
        name = table.get("name") if isinstance(table, Mapping) else None
        if not isinstance(name, str) or not _REPOSITORY.fullmatch(name):
            raise LockfileError("a source of Poetry's has no name", where=where)
        priority = str(table.get("priority", "primary")).lower()
        if name.lower() == DEFAULT_REPOSITORY.lower():
            yield _Source(PYPI, priority, DEFAULT_INDEX)
            continue
        url = table.get("url")
        if not isinstance(url, str) or not is_http(url):
            raise LockfileError(
                f"the source {name!r} has no address: {redact_url(str(url))}", where=where
            )
        yield _Source(repository(name, url), priority, url)


def repository(name: str, url: str) -> Repository:
    """An index by its name in the project and its address."""
    return Repository(name, without_userinfo(url).rstrip("/"))


def _searched(sources: Sequence[_Source]) -> tuple[Repository, ...]:
    """Where Poetry looks for what no lockfile pins: all that are not explicit, by priority.

    The default index goes without saying unless there is another primary source. Of equal
    priority the first in the file comes first.
    """
    asked = _asked(sources)
    found = [s.repository for s in asked]
    primary = [s for s in asked if s.priority not in _SECOND]
    if PYPI not in [s.repository for s in sources] and not primary:
        found.insert(0, PYPI)
    return tuple(dict.fromkeys(found))


def _asked(sources: Sequence[_Source]) -> list[_Source]:
    return sorted((s for s in sources if s.priority in _PRIORITIES), key=_priority)


def _priority(source: _Source) -> int:
    return _PRIORITIES.index(source.priority)


def _credentials(sources: Sequence[_Source], host: Host) -> Iterator[Credential]:
    path = _config_root(host) / "auth.toml"
    data = host.config_bytes(path)
    stored = {} if data is None else _table(load_toml(data, str(path)), "http-basic")
    for source in sources:
        name = source.repository.name
        variable = f"POETRY_HTTP_BASIC_{_NOT_IN_VARIABLE.sub('_', name.upper())}"
        entry = _table(stored, name)
        parts = urlsplit(source.address)
        user = host.environ.get(f"{variable}_USERNAME", entry.get("username"))
        password = host.environ.get(f"{variable}_PASSWORD", entry.get("password"))
        user = user if isinstance(user, str) else unquote(parts.username or "")
        password = password if isinstance(password, str) else unquote(parts.password or "")
        if user or password:
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            yield Credential(_origin(source.address) + "/", f"Basic {token}")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"


# -- the project's own dependencies --------------------------------------------------------


def _roots(document: Table, poetry: Table) -> dict[str, tuple[str, ...]]:
    """Group to names. Optional dependencies belong to `MAIN`; the lockfile knows its extras."""
    project = _table(document, "project")
    found: dict[str, set[str]] = {MAIN: set(_keys(_table(poetry, "dependencies")))}
    found[MAIN] |= set(_requirements(project.get("dependencies")))
    for extra in _table(project, "optional-dependencies").values():
        found[MAIN] |= set(_requirements(extra))
    found[_DEV] = set(_keys(_table(poetry, "dev-dependencies")))
    groups = _table(poetry, "group")
    for name in groups:
        names = _keys(_table(_table(groups, name), "dependencies"))
        found.setdefault(name, set()).update(names)
    for name, listed in _table(document, "dependency-groups").items():
        found.setdefault(name, set()).update(_requirements(listed))
    return {group: tuple(sorted(names)) for group, names in sorted(found.items()) if names}


def _keys(table: Table) -> Iterator[str]:
    return (normalize(key) for key in table if key != "python")


def _requirements(listed: Any) -> Iterator[str]:
    for item in listed if isinstance(listed, list) else []:
        match = _NAME.match(item) if isinstance(item, str) else None
        if match:
            yield normalize(match[0])


def _table(table: Table, key: str) -> Table:
    value = table.get(key)
    return value if isinstance(value, Mapping) else {}
