"""uv's own configuration, as far as it decides what is packed and who may be asked.

Read as uv does: the environment, then `uv.toml` beside the lockfile, which replaces the table
`[tool.uv]` of `pyproject.toml`, then the user's `uv.toml`. Of the settings only these count:

- `default-groups` (only in pyproject.toml): groups installed unasked, `["dev"]` by default;
- `no-binary`, `no-binary-package`: whose wheels are not used;
- `index`, `index-url`, `extra-index-url`, and `UV_INDEX`, `UV_DEFAULT_INDEX`, `UV_INDEX_URL`,
  `UV_EXTRA_INDEX_URL`: where we may go, with the credentials in them or in
  `UV_INDEX_<NAME>_USERNAME` and `UV_INDEX_<NAME>_PASSWORD`.

The lockfile alone says which index a package comes from.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from vendorpack.errors import LockfileError
from vendorpack.formats._shared.python.index import DEFAULT_FILES, DEFAULT_INDEX, normalize
from vendorpack.formats._shared.text.toml_text import Table, load_toml, subtable
from vendorpack.model import Access, Credential, Host, Project
from vendorpack.redact import redact_url

ALL: Final = "all"
"""Value of `default-groups` for every group."""
_DEFAULT_GROUPS: Final = ("dev",)
_NOT_IN_VARIABLE: Final = re.compile(r"[^A-Z0-9]")
_NAMED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)=(?=[a-z+]+:)(.*)")


@dataclass(frozen=True, slots=True)
class IndexSetting:
    """An index of the configuration; `url` may have userinfo."""

    name: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is in force.

    default_groups: names, or (`ALL`,).
    no_binary: whether no wheels are used at all; no_binary_packages: normalised names.
    """

    default_groups: tuple[str, ...] = _DEFAULT_GROUPS
    no_binary: bool = False
    no_binary_packages: frozenset[str] = frozenset()
    indexes: tuple[IndexSetting, ...] = ()

    def allows_wheels(self, name: str) -> bool:
        """Whether a wheel of package `name` (normalised) may be installed."""
        return not self.no_binary and name not in self.no_binary_packages

    def access(self, lock_indexes: Sequence[str], environ: Mapping[str, str]) -> Access:
        """Where the configuration and the lockfile's own indexes let us go."""
        urls = [DEFAULT_INDEX, DEFAULT_FILES, *lock_indexes, *(i.url for i in self.indexes)]
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
    pyproject = _table(project.read("pyproject.toml"), str(folder / "pyproject.toml"))
    tool = subtable(subtable(pyproject, "tool", "pyproject.toml"), "uv", "pyproject.toml")
    own = project.read("uv.toml")
    config = tool if own is None else _table(own, str(folder / "uv.toml"))
    user_path = _user_file(project.host)
    user = _table(project.host.config_bytes(user_path), str(user_path))
    indexes = [*_from_environment(project.host.environ), *_indexes(config), *_indexes(user)]
    for index in indexes:
        _check(index)
    return Settings(
        default_groups=_default_groups(tool),
        no_binary=config.get("no-binary", user.get("no-binary", False)) is True,
        no_binary_packages=frozenset(
            normalize(name) for name in _names(config, "no-binary-package")
        )
        | frozenset(normalize(name) for name in _names(user, "no-binary-package")),
        indexes=tuple(indexes),
    )


def cache_root(host: Host) -> Path:
    """Where uv keeps its cache."""
    configured = host.environ.get("UV_CACHE_DIR")
    if configured:
        return Path(configured)
    if host.os == "windows":
        local = host.environ.get("LOCALAPPDATA")
        return (Path(local) if local else host.home / "AppData/Local") / "uv" / "cache"
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


def _from_environment(environ: Mapping[str, str]) -> Iterator[IndexSetting]:
    for variable in ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"):
        for text in environ.get(variable, "").split():
            match = _NAMED.fullmatch(text)
            yield IndexSetting(match[1], match[2]) if match else IndexSetting("", text)


def _indexes(config: Table) -> Iterator[IndexSetting]:
    tables: Any = config.get("index", [])
    for table in tables if isinstance(tables, list) else []:
        if isinstance(table, Mapping) and isinstance(table.get("url"), str):
            name = table.get("name")
            yield IndexSetting(name if isinstance(name, str) else "", table["url"])
    for key in ("index-url", "extra-index-url"):
        value = config.get(key, [])
        for url in [value] if isinstance(value, str) else value if isinstance(value, list) else []:
            if isinstance(url, str):
                yield IndexSetting("", url)


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
