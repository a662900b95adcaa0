"""uv's own configuration, as far as it decides what is packed and who may be asked.

Read as uv does: the environment, then `uv.toml` beside the lockfile, which replaces the table
`[tool.uv]` of `pyproject.toml`, then the user's `uv.toml`. Of the settings only these count:

- `default-groups` (only in pyproject.toml): groups installed unasked, `["dev"]` by default;
- `no-binary`, `no-binary-package`: whose wheels are not used;
- `index`, `index-url`, `extra-index-url`, and `UV_INDEX`, `UV_DEFAULT_INDEX`, `UV_INDEX_URL`,
  `UV_EXTRA_INDEX_URL`: where we may go, with the credentials in them or in
  `UV_INDEX_<NAME>_USERNAME` and `UV_INDEX_<NAME>_PASSWORD`; and which of them, in which order,
  answer for what no lockfile pins: what sources are built with;
- `index-strategy` and `UV_INDEX_STRATEGY`: whether the first index that has a project answers for
  it, or the newest version of all;
- `extra-build-dependencies`: what packages are built with beside what they ask for;
- `sources` (only in pyproject.toml): the index that a project's own build requirement comes from.

A script has its settings in its own inline metadata (PEP 723) in place of `pyproject.toml`.
The lockfile says which index a package comes from, and never that we may go there.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.python.builds.resolver import Tiers, one_by_one
from vendorpack.formats._shared.python.index import (
    DEFAULT_FILES,
    DEFAULT_INDEX,
    normalize,
    without_userinfo,
)
from vendorpack.formats._shared.text.toml_text import Table, load_toml, subtable
from vendorpack.model import Access, Credential
from vendorpack.project import Host, Project
from vendorpack.redact import redact_url

ALL: Final = "all"
"""Value of `default-groups` for every group."""
_DEFAULT_GROUPS: Final = ("dev",)
_NOT_IN_VARIABLE: Final = re.compile(r"[^A-Z0-9]")
_NEWEST_OF_ALL: Final = "unsafe-best-match"
_WHERE_FROM: Final = frozenset(
    {"index", "index-url", "extra-index-url", "index-strategy", "sources"}
)
"""Settings of `[tool.uv]` that say where requests go."""
_INLINE: Final = re.compile(r"(?m)^# /// script$\n((?:^#(?:| .*)$\n)+?)^# ///$")
_NAMED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)=(?=[a-z+]+:)(.*)")


@dataclass(frozen=True, slots=True)
class IndexSetting:
    """An index of the configuration; `url` may have userinfo.

    explicit: only for packages that name it. default: asked last, in place of PyPI.
    is_flat: a page of files, no index.
    """

    name: str
    url: str = field(repr=False)
    explicit: bool = False
    default: bool = False
    is_flat: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """What is in force.

    default_groups: names, or (`ALL`,).
    no_binary: whether no wheels are used at all; no_binary_packages: normalised names.
    indexes: of the environment, the project, the user; among equals in this order.
    newest_of_all: whether all indexes are asked, and the newest version wins.
    pinned: (normalised) name to the address of the index that the project takes it from.
    extra_builds: (normalised) name to what it is built with beside what it asks for.
    """

    default_groups: tuple[str, ...] = _DEFAULT_GROUPS
    no_binary: bool = False
    no_binary_packages: frozenset[str] = frozenset()
    indexes: tuple[IndexSetting, ...] = ()
    newest_of_all: bool = False
    pinned: Mapping[str, str] = field(default_factory=dict)
    extra_builds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def searched(self) -> tuple[str, ...]:
        """Addresses of the indexes that uv asks for what names none, in its order.

        All that are neither explicit nor the default, then the default, PyPI without one.
        """
        named = [i for i in self.indexes if not i.is_flat]
        default = next((i for i in named if i.default), IndexSetting("", DEFAULT_INDEX))
        others = [i for i in named if not i.default and not i.explicit]
        asked = [*others, *([] if default.explicit else [default])]
        return tuple(dict.fromkeys(without_userinfo(i.url) for i in asked))

    @property
    def tiers(self) -> Tiers:
        """These indexes, as one or one after the other."""
        return (self.searched,) if self.newest_of_all else one_by_one(self.searched)

    def allows_wheels(self, name: str) -> bool:
        """Whether a wheel of package `name` (normalised) may be installed."""
        return not self.no_binary and name not in self.no_binary_packages

    def access(self, environ: Mapping[str, str]) -> Access:
        """Where the configuration lets us go."""
        urls = [DEFAULT_INDEX, DEFAULT_FILES, *(i.url for i in self.indexes)]
        credentials = {
            credential.prefix: credential
            for index in self.indexes
            if (credential := _credential(index, environ)) is not None
        }
        return Access(
            origins=frozenset(_origin(url) for url in urls),
            credentials=tuple(credentials[prefix] for prefix in sorted(credentials)),
        )


def load_settings(project: Project) -> Settings:
    """Read the configuration that uv would see beside the lockfile. Raises `LockfileError`."""
    folder = project.lockfile.parent
    pyproject = _script(project)
    if pyproject is None:
        pyproject = _table(project.read("pyproject.toml"), str(folder / "pyproject.toml"))
    tool = subtable(subtable(pyproject, "tool", "pyproject.toml"), "uv", "pyproject.toml")
    if not project.trusted:
        tool = {name: value for name, value in tool.items() if name not in _WHERE_FROM}
    own = project.settings("uv.toml")
    config = tool if own is None else _table(own, str(folder / "uv.toml"))
    user_path = _user_file(project.host)
    user = _table(project.host.config_bytes(user_path), str(user_path))
    indexes = _combined(project.host.environ, config, user)
    for index in indexes:
        _check(index)
    strategy = project.host.environ.get("UV_INDEX_STRATEGY") or config.get(
        "index-strategy", user.get("index-strategy")
    )
    return Settings(
        default_groups=_default_groups(tool),
        no_binary=config.get("no-binary", user.get("no-binary", False)) is True,
        no_binary_packages=frozenset(
            normalize(name) for name in _names(config, "no-binary-package")
        )
        | frozenset(normalize(name) for name in _names(user, "no-binary-package")),
        indexes=tuple(indexes),
        newest_of_all=strategy == _NEWEST_OF_ALL,
        pinned=dict(_pinned(tool, indexes)),
        extra_builds=dict((*_extra_builds(user), *_extra_builds(config))),
    )


def cache_root(host: Host) -> Path:
    """Where uv keeps its cache."""
    configured = host.environ.get("UV_CACHE_DIR")
    if configured:
        return Path(configured)
    if host.os == "windows":
        return host.local_app_data / "uv" / "cache"
    xdg = host.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else host.home / ".cache") / "uv"


def _user_file(host: Host) -> Path:
    if host.os == "windows":
        roaming = host.environ.get("APPDATA")
        return (Path(roaming) if roaming else host.home / "AppData/Roaming") / "uv" / "uv.toml"
    xdg = host.environ.get("XDG_CONFIG_HOME")
    return (Path(xdg) if xdg else host.home / ".config") / "uv" / "uv.toml"


def _table(data: bytes | None, path: str) -> Table:
    return {} if data is None else load_toml(data, path)


def _default_groups(tool: Table) -> tuple[str, ...]:
    value = tool.get("default-groups")
    if value is None:
        return _DEFAULT_GROUPS
    if value == ALL:
        return (ALL,)
    return tuple(sorted(_names(tool, "default-groups")))


def _names(table: Table, key: str) -> Sequence[str]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise LockfileError(f"the setting {key!r} of uv is not a list of names")
    return value


def _combined(environ: Mapping[str, str], *configs: Table) -> list[IndexSetting]:
    """All indexes: `index` before `extra-index-url` before `index-url`, each by its owner."""
    found = [replace(i, default=True) for i in _of_variable(environ, "UV_DEFAULT_INDEX")]
    found += _of_variable(environ, "UV_INDEX")
    found += (index for config in configs for index in _indexes(config))
    found += _of_variable(environ, "UV_EXTRA_INDEX_URL")
    found += (index for config in configs for index in _urls(config, "extra-index-url"))
    old = [*_of_variable(environ, "UV_INDEX_URL")]
    old += (index for config in configs for index in _urls(config, "index-url"))
    return found + [replace(index, default=True) for index in old]


def _of_variable(environ: Mapping[str, str], variable: str) -> Iterator[IndexSetting]:
    for text in environ.get(variable, "").split():
        match = _NAMED.fullmatch(text)
        yield IndexSetting(match[1], match[2]) if match else IndexSetting("", text)


def _indexes(config: Table) -> Iterator[IndexSetting]:
    tables: Any = config.get("index", [])
    for table in tables if isinstance(tables, list) else []:
        if isinstance(table, Mapping) and isinstance(table.get("url"), str):
            name = table.get("name")
            yield IndexSetting(
                name if isinstance(name, str) else "",
                table["url"],
                explicit=table.get("explicit") is True,
                default=table.get("default") is True,
                is_flat=table.get("format") == "flat",
            )


def _urls(config: Table, key: str) -> Iterator[IndexSetting]:
    value = config.get(key, [])
    for url in [value] if isinstance(value, str) else value if isinstance(value, list) else []:
        if isinstance(url, str):
            yield IndexSetting("", url)


def _pinned(tool: Table, indexes: Sequence[IndexSetting]) -> Iterator[tuple[str, str]]:
    """`[tool.uv.sources]` that name an index, if only on some condition."""
    addresses = {i.name: without_userinfo(i.url) for i in reversed(indexes) if i.name}
    sources = tool.get("sources")
    for name, entries in sources.items() if isinstance(sources, Mapping) else ():
        for entry in entries if isinstance(entries, list) else [entries]:
            if isinstance(entry, Mapping) and entry.get("index") in addresses:
                yield normalize(name), addresses[entry["index"]]


def _extra_builds(config: Table) -> Iterator[tuple[str, tuple[str, ...]]]:
    """`extra-build-dependencies`: requirements, or tables that have one."""
    listed = config.get("extra-build-dependencies")
    for name, entries in listed.items() if isinstance(listed, Mapping) else ():
        texts = [
            entry.get("requirement") if isinstance(entry, Mapping) else entry
            for entry in (entries if isinstance(entries, list) else [])
        ]
        yield normalize(name), tuple(text for text in texts if isinstance(text, str))


def _script(project: Project) -> Table | None:
    """The inline metadata of the script that the lockfile is of; None if it is of none."""
    name = project.lockfile.name.removesuffix(".lock")
    data = project.read(name) if name.endswith(".py") else None
    if data is None:
        return None
    block = _INLINE.search(data.decode("utf-8", "replace").replace("\r\n", "\n"))
    if block is None:
        return {}
    lines = (line.removeprefix("#").removeprefix(" ") for line in block[1].splitlines())
    return load_toml("\n".join(lines).encode(), str(project.lockfile.parent / name))


def _check(index: IndexSetting) -> None:
    try:
        parts = urlsplit(index.url)
        valid = parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise LockfileError(f"an index of uv's is not an address: {redact_url(index.url)}")


def _credential(index: IndexSetting, environ: Mapping[str, str]) -> Credential | None:
    parts = urlsplit(index.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    variable = f"UV_INDEX_{_NOT_IN_VARIABLE.sub('_', index.name.upper())}"
    user = environ.get(f"{variable}_USERNAME") if index.name else None
    password = environ.get(f"{variable}_PASSWORD") if index.name else None
    user = user if user is not None else unquote(parts.username or "")
    password = password if password is not None else unquote(parts.password or "")
    if not user and not password:
        return None
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Credential(_origin(index.url) + "/", f"Basic {token}")


def _origin(url: str) -> str:
    parts: SplitResult = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"
