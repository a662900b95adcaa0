"""Bundler's configuration, as far as it says where gems come from and with which credentials.

The first that has a setting wins: the project's `.bundle/config` (`$BUNDLE_APP_CONFIG/config`),
the environment, the user's `~/.bundle/config` (`$BUNDLE_CONFIG`, `$BUNDLE_USER_CONFIG`,
`$BUNDLE_USER_HOME/config`). A setting's name is upper case, with `BUNDLE_` before it, `__` for
a dot and `___` for a dash:

- `BUNDLE_GEMS__EXAMPLE__COM`, `BUNDLE_HTTPS://GEMS__EXAMPLE__COM/`: `user:password` or a token
  for that host or source. Git repositories on the host are fetched with it, too.
- `BUNDLE_MIRROR__HTTPS://GEMS__EXAMPLE__COM/`, `BUNDLE_MIRROR__ALL`: ask there in place of the
  source. Its `fallback_timeout` is not followed.
- `BUNDLE_SSL_CA_CERT`: a file of certificate authorities. `ssl_verify_mode` is never followed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from vendorpack.dataclass import dataclass
from vendorpack.project import Host, Project

LOCAL_CONFIG: Final = ".bundle/config"

_PREFIX: Final = "BUNDLE_"
_LINE: Final = re.compile(r"(BUNDLE_[^#]+?):(?=\s|$) ?(['\"]?)(.*)\2", re.ASCII)


@dataclass(frozen=True, slots=True)
class Config:
    """The settings in force, and those that the project itself brings along."""

    _settings: Mapping[str, str] = field(repr=False)
    _local: Mapping[str, str] = field(repr=False)

    def local(self, name: str) -> str | None:
        """A setting of the project's own file, such as `CACHE_PATH`."""
        return self._local.get(_PREFIX + name)

    @property
    def ca_files(self) -> tuple[str, ...]:
        """Extra certificate authorities."""
        value = self._settings.get("BUNDLE_SSL_CA_CERT")
        return (value,) if value else ()

    def mirror(self, source: str) -> str | None:
        """Where to ask in place of `source` (which ends with a slash), likewise ending."""
        host = urlsplit(source).hostname or ""
        for name in ("mirror.all", f"mirror.{source}", f"mirror.{host}"):
            value = self._settings.get(_key(name))
            if value:
                return value.rstrip("/") + "/"
        return None

    def login(self, url: str) -> str | None:
        """`user:password` or a token for an address; percent-encoded."""
        by_url = self._settings.get(_key(url))
        return by_url or self._settings.get(_key(urlsplit(url).hostname or "")) or None


def read_config(project: Project) -> Config:
    """Read all three places. Raises `LockfileError` for a file that cannot be read."""
    host = project.host
    users = host.environ.get("BUNDLE_APP_CONFIG")
    path = project.folder / (users or ".bundle") / "config"
    local = _parse(host.config_bytes(path) if users or project.trusted else None)
    environ = {name: value for name, value in host.environ.items() if name.startswith(_PREFIX)}
    return Config({**_parse(host.config_bytes(_user_config(host))), **environ, **local}, local)


def user_cache(host: Host) -> Path:
    """Where Bundler keeps its git repositories with `global_gem_cache`."""
    configured = host.environ.get("BUNDLE_USER_CACHE")
    return Path(configured) if configured else _user_home(host) / "cache"


def split_userinfo(url: str) -> tuple[str, str | None]:
    """An address without the userinfo it may have, and that."""
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=host)), userinfo if at else None


def origin_of(url: str) -> str:
    """`scheme://host[:port]` of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


def basic(userinfo: str) -> str:
    """The Authorization header of `user:password` or of a token, which goes as the user."""
    user, _, password = userinfo.partition(":")
    secret = f"{unquote(user)}:{unquote(password)}".encode()
    return "Basic " + base64.b64encode(secret).decode()


def _user_home(host: Host) -> Path:
    configured = host.environ.get("BUNDLE_USER_HOME")
    return Path(configured) if configured else host.home / ".bundle"


def _user_config(host: Host) -> Path:
    for name in ("BUNDLE_CONFIG", "BUNDLE_USER_CONFIG"):
        if configured := host.environ.get(name):
            return Path(configured)
    return _user_home(host) / "config"


def _parse(data: bytes | None) -> dict[str, str]:
    """Read the few forms of YAML that Bundler writes and reads (its `YAMLSerializer`)."""
    settings = {}
    for line in (data or b"").decode(errors="replace").splitlines():
        if match := _LINE.fullmatch(line.rstrip()):
            name = match[1]
            if re.search(r"https?:", name, re.IGNORECASE) and not name.endswith("/"):
                name += "/"
            settings[name.replace(".", "__").replace("-", "___").upper()] = match[3]
    return settings


def _key(name: str) -> str:
    return _PREFIX + name.replace(".", "__").replace("-", "___").upper()
