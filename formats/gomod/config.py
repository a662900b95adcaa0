"""The go command's environment, as far as it says where modules come from.

A variable that is not set may be in the file that `go env -w` writes: `$GOENV`, else `go/env` in
the user's configuration folder. `GOPROXY` is a list parted by `,` or `|`. Its last words, `direct`
and `off`, mean version control and nothing; neither is done here. `GONOPROXY` (else `GOPRIVATE`)
has patterns of modules that go direct too.
"""

from __future__ import annotations

import base64
import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from vendorpack.errors import UnsupportedError
from vendorpack.formats.gomod.modules import DEFAULT_PROXY
from vendorpack.model import Credential, Host

_LAST_WORDS: Final = ("direct", "off")


@dataclass(frozen=True, slots=True)
class Config:
    """Proxies in order, without userinfo, and what they do not serve.

    Empty proxies mean that the configuration allows none.
    """

    proxies: tuple[str, ...]
    credentials: tuple[Credential, ...]
    private: tuple[str, ...]

    def is_private(self, path: str) -> bool:
        """Whether a module may not be asked of a proxy."""
        return any(_matches(pattern, path) for pattern in self.private)


def read_config(host: Host) -> Config:
    """Read the environment and go's env file. Raises `UnsupportedError` for a bad proxy."""
    saved = _saved(host)

    def variable(name: str) -> str:
        return host.environ.get(name) or saved.get(name, "")

    proxies, credentials = [], []
    for word in re.split(r"[,|]", variable("GOPROXY") or DEFAULT_PROXY):
        proxy = word.strip()
        if proxy in _LAST_WORDS:
            break
        if proxy:
            address, credential = _proxy(proxy)
            proxies.append(address)
            if credential is not None:
                credentials.append(credential)
    private = variable("GONOPROXY") or variable("GOPRIVATE")
    patterns = tuple(p.strip() for p in private.split(",") if p.strip())
    return Config(tuple(proxies), tuple(credentials), () if patterns == ("none",) else patterns)


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
    try:
        parts = urlsplit(text)
        user, password = parts.username, parts.password
    except ValueError:
        parts = urlsplit("")
        user = password = None
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
