"""The go command's environment, as far as it says where modules come from.

A variable that is not set may be in the file that `go env -w` writes: `$GOENV`, else `go/env` in
the user's configuration folder. `GOPROXY` is a list parted by `,` (go on where a proxy has nothing)
or `|` (go on after any failure). Its last words, `direct` and `off`, mean version control and
nothing. `GONOPROXY` (else `GOPRIVATE`) has patterns of modules
that come from version control in any case.

`direct` behind proxies, for what they do not have, is not followed: a lockfile alone would then
name the host to go to. `GOINSECURE` has patterns of modules whose repository may be asked over
plain http where https fails; certificates are checked all the same. `GOVCS` says by which version
control systems modules may be fetched. Of `GOAUTH` `netrc` and `off` are done: programs are not
asked, and git has logins of its own.
(`go help environment`, `go help vcs`, `go help goauth` of go 1.26.)
"""

from __future__ import annotations

import base64
import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlunsplit

from vendorpack.dataclass import dataclass
from vendorpack.errors import PolicyError, UnsupportedError
from vendorpack.formats._shared.text.addresses import parts_of
from vendorpack.formats.gomod.modules import DEFAULT_PROXY
from vendorpack.model import Credential
from vendorpack.project import Host

_LISTED: Final = re.compile(r"([^,|]+)([,|]?)")
_DIRECT: Final = "direct"
_LAST_WORDS: Final = (_DIRECT, "off")
_NO_LOGIN: Final = "off"
_NO_PROGRAM: Final = ("netrc", _NO_LOGIN)
_NAMED_HOST: Final = re.compile(r"(?:\*\.)?[\w-]+(?:\.[\w-]+)+", re.A)


@dataclass(frozen=True, slots=True)
class Config:
    """Proxies in order, without userinfo, and what they do not serve.

    Empty proxies mean that the configuration allows none; `direct`: that all modules then come from
    version control. private: patterns of those that always do. only_if_absent: whether a proxy is
    asked only for what the one before it does not have. direct_behind: whether version control
    stands behind the proxies. insecure, internal: patterns of GOINSECURE and of GOPRIVATE.
    systems: GOVCS as pattern and names of systems. asks_program: whether GOAUTH names one.
    without_netrc: whether GOAUTH is off.
    """

    proxies: tuple[str, ...]
    credentials: tuple[Credential, ...]
    private: tuple[str, ...]
    direct: bool = False
    only_if_absent: bool = False
    direct_behind: bool = False
    insecure: tuple[str, ...] = ()
    internal: tuple[str, ...] = ()
    systems: tuple[tuple[str, frozenset[str]], ...] = ()
    asks_program: bool = False
    without_netrc: bool = False
    database: str = ""
    """GOSUMDB as it stands."""

    def is_direct(self, path: str) -> bool:
        """Whether a module comes from version control."""
        return self.direct or any(_matches(pattern, path) for pattern in self.private)

    def names_host_of(self, path: str) -> bool:
        """Whether a pattern for the module names its host, or the domain that is in."""
        return _names_host(self.private, path)

    def is_insecure(self, path: str) -> bool:
        """Whether a module's repository may be asked over plain http."""
        return any(_matches(pattern, path) for pattern in self.insecure)

    def names_insecure_host_of(self, path: str) -> bool:
        """The same of a pattern that names its host, or the domain that is in."""
        return _names_host(self.insecure, path)

    def check_system(self, root: str, where: str) -> None:
        """Whether git may be asked for what is kept at `root`. Raises `PolicyError`."""
        private = any(_matches(pattern, root) for pattern in self.internal)
        kinds = {"private": private, "public": not private}
        for pattern, allowed in self.systems:
            if kinds[pattern] if pattern in kinds else _matches(pattern, root):
                if not {"git", "all"} & allowed:
                    raise PolicyError(
                        f"GOVCS does not allow git for {root}",
                        where=where,
                        fix=f"If that is meant to be, vendor it; else set GOVCS={root}:git.",
                    )
                return


def read_config(host: Host) -> Config:
    """Read the environment and go's env file. Raises `UnsupportedError` for a bad proxy."""
    saved = _saved(host)

    def variable(name: str) -> str:
        return host.environ.get(name) or saved.get(name, "")

    listed = [(word.strip(), mark) for word, mark in _LISTED.findall(variable("GOPROXY"))]
    listed = [pair for pair in listed if pair[0]] or [(DEFAULT_PROXY, ""), (_DIRECT, "")]
    proxies, credentials, marks, last = [], [], [], ""
    for proxy, mark in listed:
        if proxy in _LAST_WORDS:
            last = proxy
            break
        address, credential = _proxy(proxy)
        proxies.append(address)
        marks.append(mark)
        if credential is not None:
            credentials.append(credential)
    auth = variable("GOAUTH")
    commands = [command.split() for command in auth.split(";")]
    return Config(
        tuple(proxies),
        tuple(credentials),
        _patterns(variable("GONOPROXY") or variable("GOPRIVATE")),
        direct=listed[0][0] == _DIRECT,
        only_if_absent=bool(marks[1:]) and "|" not in marks[:-1],
        direct_behind=bool(proxies) and last == _DIRECT,
        insecure=_patterns(variable("GOINSECURE")),
        internal=_patterns(variable("GOPRIVATE")),
        systems=tuple(_systems(variable("GOVCS"))),
        database=variable("GOSUMDB"),
        asks_program=any(words and words[0] not in _NO_PROGRAM for words in commands),
        without_netrc=auth == _NO_LOGIN,
    )


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(p.strip() for p in text.split(",") if p.strip())


def _systems(text: str) -> Iterator[tuple[str, frozenset[str]]]:
    """The rules of GOVCS: `PATTERN:NAME|NAME`, parted by commas. Raises `UnsupportedError`."""
    for rule in _patterns(text):
        pattern, _, names = (part.strip() for part in rule.partition(":"))
        allowed = frozenset(name.strip() for name in names.split("|"))
        if not pattern or "" in allowed:
            raise UnsupportedError(
                f"GOVCS has a rule that is none: {rule[:80]!r}",
                where="GOVCS",
                fix="Its rules are PATTERN:SYSTEM|SYSTEM, parted by commas (`go help vcs`).",
            )
        yield pattern, allowed


def _names_host(patterns: Iterable[str], path: str) -> bool:
    hosts = (pattern.partition("/")[0] for pattern in patterns if _matches(pattern, path))
    return any(_NAMED_HOST.fullmatch(host) for host in hosts)


def module_cache(host: Host) -> Path:
    """`$GOMODCACHE`, else `pkg/mod` in the first folder of `$GOPATH`, else in `~/go`."""
    saved = _saved(host)
    cache = host.environ.get("GOMODCACHE") or saved.get("GOMODCACHE")
    if cache:
        return Path(cache)
    separator = ";" if host.os == "windows" else ":"
    gopath = host.environ.get("GOPATH") or saved.get("GOPATH") or ""
    first = gopath.split(separator)[0]
    return (Path(first) if first else host.home / "go") / "pkg" / "mod"


def _saved(host: Host) -> Mapping[str, str]:
    configured = host.environ.get("GOENV")
    if configured == "off":
        return {}
    data = host.config_bytes(
        Path(configured) if configured else _config_folder(host) / "go" / "env"
    )
    lines = (data or b"").decode(errors="replace").splitlines()
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {name.strip(): value for name, equals, value in pairs if equals}


def _config_folder(host: Host) -> Path:
    if host.os == "windows":
        return Path(host.environ.get("AppData") or host.home / "AppData" / "Roaming")
    if host.os == "macos":
        return host.home / "Library" / "Application Support"
    return Path(host.environ.get("XDG_CONFIG_HOME") or host.home / ".config")


def _proxy(text: str) -> tuple[str, Credential | None]:
    if {".", ":", "/"} & set(text) and ":/" not in text and not text.startswith("/"):
        text = f"https://{text}"  # as go has it
    parts = parts_of(text)
    user, password = parts.username, parts.password
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UnsupportedError(
            "GOPROXY names a proxy that is not an https address",
            where="GOPROXY",
            fix="Set GOPROXY to the address of a module proxy.",
        )
    address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")
    if user is None:
        return address, None
    secret = f"{unquote(user)}:{unquote(password or '')}".encode()
    return address, Credential(address + "/", "Basic " + base64.b64encode(secret).decode())


def _matches(pattern: str, path: str) -> bool:
    """Go's `module.MatchPrefixPatterns`: each part of the pattern against one of the path."""
    globs, parts = pattern.rstrip("/").split("/"), path.split("/")
    return len(globs) <= len(parts) and all(
        fnmatch.fnmatchcase(part, glob.replace("[^", "[!"))
        for glob, part in zip(globs, parts, strict=False)
    )
