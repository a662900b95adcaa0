"""pip's configuration: which indexes, with which credentials, over which proxy.

Read as pip 23 to 26 do, the later one winning: the system's files, the user's, the virtual
environment's, the one that `PIP_CONFIG_FILE` names, then the environment (`PIP_INDEX_URL` …).
Of a file, `[global]` and then `[install]` count. pipenv and pdm users are served by it too.

Certificates are always checked, whatever `trusted-host` says, and no secret is in any `repr`.
"""

from __future__ import annotations

import base64
import configparser
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.python.index import DEFAULT_FILES, DEFAULT_INDEX, without_userinfo
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.model import Access, Credential, Warning
from vendorpack.project import Host
from vendorpack.redact import redact_url

_SECTIONS: Final = ("global", "install")
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z0-9_]+)\}")
_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_OF_LOGIN: Final = "%:@!$&()*+,;=-._~{}"
"""What may stand in a login as it is: `{}` for a variable that is not set."""


@dataclass(frozen=True, slots=True)
class PipConfig:
    """The settings in force.

    index: the main index, with a trailing slash and without userinfo.
    extra_indexes: the others, in their order, in the same form.
    find_links: pages and folders of files, as written, and where they stand.
    """

    index: str
    extra_indexes: tuple[str, ...]
    warnings: tuple[Warning, ...]
    cache_dir: Path | None
    find_links: tuple[tuple[str, str], ...] = field(repr=False)
    _logins: tuple[tuple[str, str], ...] = field(repr=False)
    _certificate: str | None
    _proxy: str | None = field(repr=False)

    @property
    def indexes(self) -> tuple[str, ...]:
        """All of them, the main one first."""
        return (self.index, *self.extra_indexes)

    def access(self, logins: Iterable[tuple[str, str]] = (), allowed: Iterable[str] = ()) -> Access:
        """Where this configuration lets us go.

        logins: (index, Authorization header) of indexes that the lockfile itself names; their
            hosts are not allowed by that.
        allowed: addresses that another configuration of the user's names.
        """
        addresses = (DEFAULT_INDEX, DEFAULT_FILES, *self.indexes, *allowed)
        return Access(
            origins=frozenset(_origin(address) for address in addresses),
            credentials=credentials((*self._logins, *logins)),
            ca_files=(self._certificate,) if self._certificate else (),
            proxies={"http": self._proxy, "https": self._proxy} if self._proxy else {},
        )


def load_pip_config(host: Host) -> PipConfig:
    """Read the configuration. Raises `LockfileError` for a file or address without sense."""
    settings: dict[str, tuple[str, str]] = {}
    for path in _files(host):
        data = host.config_bytes(path)
        if data is not None:
            settings |= {key: (value, str(path)) for key, value in _parse(data, str(path)).items()}
    for variable, value in host.environ.items():
        if variable.startswith("PIP_") and value:
            name = variable[4:].lower().replace("_", "-")
            settings[name] = (value, f"the environment ({variable})")

    def get(name: str) -> str | None:
        return settings[name][0].strip() or None if name in settings else None

    logins: list[tuple[str, str]] = []

    def address(text: str, name: str) -> str:
        base, login = index_address(text, settings[name][1])
        logins.extend(login)
        return base

    main = address(get("index-url") or "", "index-url") if get("index-url") else DEFAULT_INDEX
    extra = [address(text, "extra-index-url") for text in (get("extra-index-url") or "").split()]
    cache_dir = get("cache-dir")
    return PipConfig(
        index=main,
        extra_indexes=tuple(dict.fromkeys(e for e in extra if e != main)),
        warnings=tuple(_warnings(settings)),
        cache_dir=_path(cache_dir, host) if cache_dir else None,
        find_links=tuple(
            (place, settings["find-links"][1])
            for place in (get("find-links") or "").split()
            if not host.is_of_bundle(place)
        ),
        _logins=tuple(logins),
        _certificate=str(_path(cert, host)) if (cert := get("cert")) else None,
        _proxy=get("proxy"),
    )


def index_address(text: str, where: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """An index's address in its one form, and (address, Authorization header) if it had userinfo.

    Raises `LockfileError` if it is not an http(s) address.
    """
    if not is_http(text):
        raise LockfileError(
            f"an index is not an http(s) address: {redact_url(text)}",
            where=where,
            fix="It should look like https://index.example/simple/.",
        )
    base = without_userinfo(text).rstrip("/") + "/"
    header = login_of(text)
    return base, () if header is None else ((base, header),)


def login_of(address: str) -> str | None:
    """The Authorization header that an address's user name and password make, if it has some."""
    parts = urlsplit(address)
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def expand_userinfo(text: str, environ: Mapping[str, str], where: str) -> str:
    """Put `${NAME}` in where an address has a user name or a password.

    A variable that is not set stays as it is, as in pip. Elsewhere a variable would make the
    bundle depend on where it is packed: `UnsupportedError`. What ends an address, or its login,
    comes out percent-encoded, so that no value is ever taken for another part of the line, and
    all of it is hidden where the line is shown.
    """
    if not _VARIABLE.search(text):
        return text
    scheme = _SCHEME.search(text)
    begin = scheme.end() if scheme else 0
    end = text.find("@", begin)
    slash = text.find("/", begin)
    if scheme is None or end < 0 or -1 < slash < end:
        begin = end = 0
    if _VARIABLE.search(text[:begin]) or _VARIABLE.search(text[end:]):
        raise UnsupportedError(
            "a variable of the environment decides what this line means",
            where=where,
            fix="Write it out. Variables are only put in for user names and passwords; an "
            "index can also be set with PIP_INDEX_URL.",
        )
    userinfo = _VARIABLE.sub(lambda match: environ.get(match[1], match[0]), text[begin:end])
    return text[:begin] + quote(userinfo, safe=_OF_LOGIN, errors="surrogateescape") + text[end:]


def credentials(logins: Iterable[tuple[str, str]]) -> tuple[Credential, ...]:
    """One for each index, and for the rest of its host where it is clear whose.

    pip sends an index's login to its whole host, where the files usually lie.
    """
    found = dict(logins)
    hosts: dict[str, set[str]] = {}
    for base, header in found.items():
        hosts.setdefault(_origin(base) + "/", set()).add(header)
    for origin, headers in hosts.items():
        if len(headers) == 1:
            found.setdefault(origin, next(iter(headers)))
    return tuple(Credential(prefix, found[prefix]) for prefix in sorted(found))


def pip_cache_dir(host: Host) -> Path:
    """Where pip keeps its cache: the setting `cache-dir`, else the system's place for it."""
    return load_pip_config(host).cache_dir or user_cache_dir(host) / (
        "pip/cache" if host.os == "windows" else "pip"
    )


def user_cache_dir(host: Host) -> Path:
    """The system's folder for a user's caches."""
    if host.os == "windows":
        return host.local_app_data
    if host.os == "macos":
        return host.home / "Library" / "Caches"
    xdg = host.environ.get("XDG_CACHE_HOME")
    return Path(xdg) if xdg else host.home / ".cache"


def _files(host: Host) -> Iterator[Path]:
    """Configuration files, those that count less first."""
    environ = host.environ
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    if host.os == "windows":
        name = "pip.ini"
        if environ.get("PROGRAMDATA"):
            yield Path(environ["PROGRAMDATA"], "pip", name)
        user = [host.home / "pip" / name]
        if environ.get("APPDATA"):
            user.append(Path(environ["APPDATA"], "pip", name))
    else:
        name = "pip.conf"
        if host.os == "macos":
            yield Path("/Library/Application Support/pip", name)
        else:
            for folder in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"):
                yield Path(folder, "pip", name)
            yield Path("/etc", name)
        config = Path(environ.get("XDG_CONFIG_HOME") or host.home / ".config", "pip", name)
        own = host.home / "Library" / "Application Support" / "pip"
        user = [host.home / ".pip" / name, config]
        if host.os == "macos" and host.config_bytes(own / name) is not None:
            user[1] = own / name
    yield from user
    if environ.get("VIRTUAL_ENV"):
        yield Path(environ["VIRTUAL_ENV"], name)
    if named:
        yield _path(named, host)


def _parse(data: bytes, shown: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(data.decode("utf-8-sig"), shown)
    except (UnicodeDecodeError, configparser.Error) as error:
        reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else type(error).__name__
        raise LockfileError(f"pip's configuration cannot be read: {reason}", where=shown) from None
    found: dict[str, str] = {}
    for section in _SECTIONS:
        if parser.has_section(section):
            found |= {
                key.lower().removeprefix("--").replace("_", "-"): value
                for key, value in parser.items(section)
                if value
            }
    return found


def _warnings(settings: Mapping[str, tuple[str, str]]) -> Iterator[Warning]:
    if settings.get("trusted-host", ("", ""))[0].strip():
        yield Warning(
            "trusted-host is not followed: certificates are always checked (set cert to the "
            "authority's PEM file)",
            settings["trusted-host"][1],
        )
    if settings.get("client-cert", ("", ""))[0].strip():
        yield Warning(
            "client-cert is not followed: client certificates are not supported",
            settings["client-cert"][1],
        )


def _path(text: str, host: Host) -> Path:
    return host.home / text[2:] if text.startswith(("~/", "~\\")) else Path(text)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    default = {"https": ":443", "http": ":80"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(default)}"
