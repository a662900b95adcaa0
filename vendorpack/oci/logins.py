"""Logins for registries, as `docker login` and `podman login` left them.

The files that are read, the first with a login for the registry counts:

1. `$REGISTRY_AUTH_FILE`
2. `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`
3. `$XDG_RUNTIME_DIR/containers/auth.json`
4. `$XDG_CONFIG_HOME/containers/auth.json`, else `~/.config/containers/auth.json`

Each is JSON::

    {"credHelpers": {"registry.example": "x"},        asks docker-credential-x for this registry
     "auths": {"registry.example[/team]": {"auth": base64 of login:password
                                           or "username" and "password",
                                           or "identitytoken", or "registrytoken"}},
     "credsStore": "y"}                               asks docker-credential-y for all others

A helper is run as `docker-credential-x get` with the registry's name on its standard input,
and answers `{"Username", "Secret"}`; the name `<token>` makes the secret an identity token. Its
words may hold a secret and are never shown.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import VendorpackError
from vendorpack.fetch.address import basic
from vendorpack.oci.reference import HUB, Reference
from vendorpack.project import Host

_HELPER_TIME: Final = 60.0
"""Seconds; a helper may ask a cloud for a token."""
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HUB_KEY: Final = "https://index.docker.io/v1/"
_SENDABLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Login:
    """What proves who we are; at most one of the three is set.

    basic: Authorization header. identity: a token to be given for a short-lived one.
    bearer: a token that the registry takes as it is. source: where it came from.
    """

    source: str
    basic: str | None = field(default=None, repr=False)
    identity: str | None = field(default=None, repr=False)
    bearer: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sought:
    """A login, or, if there is none, the places that have none and why."""

    login: Login | None
    looked: tuple[str, ...]

    def explain(self) -> str:
        """Where a login was looked for, for an answer that asks for one."""
        if self.login is not None:
            return f"The login of {self.login.source} was sent."
        places = "; ".join(self.looked) or "there is no file with logins"
        return f"No login was sent: {places}."


def find_login(reference: Reference, host: Host) -> Sought:
    """The login for a repository. May run a credential helper. Raises nothing for a bad file."""
    looked: list[str] = []
    for path in _files(host):
        try:
            data = host.config_bytes(path)
            config = None if data is None else json.loads(data)
        except (VendorpackError, ValueError, RecursionError):
            looked.append(f"{path} cannot be read")
            continue
        if config is None:
            continue
        if not isinstance(config, dict):
            looked.append(f"{path} is not understood")
            continue
        try:
            login = _in_file(config, path, reference, host)
        except _NoLoginError as reason:
            looked.append(f"{path}: {reason}")
            continue
        if login is not None:
            return Sought(login, ())
        looked.append(f"{path} has none for {reference.host}")
    return Sought(None, tuple(looked))


class _NoLoginError(Exception):
    """Why a file that should have a login has none that can be used; no secret in it."""


def _files(host: Host) -> Iterator[Path]:
    environ = host.environ
    if environ.get("REGISTRY_AUTH_FILE"):
        yield Path(environ["REGISTRY_AUTH_FILE"])
    docker = environ.get("DOCKER_CONFIG")
    yield (Path(docker) if docker else host.home / ".docker") / "config.json"
    if environ.get("XDG_RUNTIME_DIR"):
        yield Path(environ["XDG_RUNTIME_DIR"]) / "containers/auth.json"
    config = environ.get("XDG_CONFIG_HOME")
    yield (Path(config) if config else host.home / ".config") / "containers/auth.json"


def _in_file(config: dict[str, Any], path: Path, reference: Reference, host: Host) -> Login | None:
    server = _HUB_KEY if reference.host == HUB else reference.host
    helper = _table(config, "credHelpers").get(reference.host)
    if helper is not None:
        return _ask(helper, server, host)
    auths = _table(config, "auths")
    for key in _keys(reference):
        entry = auths.get(key)
        if isinstance(entry, dict):
            login = _of_entry(entry, str(path))
            if login is not None:
                return login
    store = config.get("credsStore")
    return _ask(store, server, host) if store else None


def _keys(reference: Reference) -> Iterator[str]:
    """Under what a login may be kept: the repository or what it lies in, then the registry."""
    path = f"{reference.host}/{reference.repository}"
    while "/" in path:
        yield path
        path = path.rpartition("/")[0]
    name = reference.host
    yield from (name, f"https://{name}", f"https://{name}/", f"http://{name}")
    yield from (f"https://{name}/v1/", f"https://{name}/v2/")
    if name == HUB:
        yield from (_HUB_KEY, "index.docker.io")


def _table(config: dict[str, Any], name: str) -> dict[str, Any]:
    value = config.get(name)
    return value if isinstance(value, dict) else {}


def _of_entry(entry: dict[str, Any], source: str) -> Login | None:
    for name in ("identitytoken", "registrytoken"):
        token = entry.get(name)
        if isinstance(token, str) and token:
            return _token(token, source, identity=name == "identitytoken")
    user, password = entry.get("username"), entry.get("password")
    if isinstance(entry.get("auth"), str) and entry["auth"]:
        try:
            decoded = base64.b64decode(entry["auth"], validate=True).decode()
        except (binascii.Error, ValueError):
            raise _NoLoginError("an entry of auths is not base64") from None
        user, _, password = decoded.rstrip("\0").partition(":")
    if not isinstance(user, str) or not isinstance(password, str) or not user:
        return None
    return Login(source, basic=basic(user, password))


def _token(token: str, source: str, *, identity: bool) -> Login:
    if not _SENDABLE.fullmatch(token):
        raise _NoLoginError("a token holds what cannot be sent")
    return Login(source, identity=token) if identity else Login(source, bearer=token)


def _ask(helper: Any, server: str, host: Host) -> Login | None:
    if not isinstance(helper, str) or not _HELPER_NAME.fullmatch(helper):
        raise _NoLoginError("the name of a credential helper makes no sense")
    name = f"docker-credential-{helper}"
    program = shutil.which(name, path=host.environ.get("PATH"))
    if program is None:
        raise _NoLoginError(f"{name} is not installed")
    try:
        done = subprocess.run(
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            env=dict(host.environ),
            timeout=_HELPER_TIME,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise _NoLoginError(f"{name} cannot be run, or does not end") from None
    if done.returncode != 0:
        if b"credentials not found" in done.stdout + done.stderr:
            return None
        raise _NoLoginError(f"{name} ended with code {done.returncode}")
    try:
        answer = json.loads(done.stdout)
        user, secret = answer["Username"], answer["Secret"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise _NoLoginError(f"the answer of {name} is not understood") from None
    if not isinstance(user, str) or not isinstance(secret, str):
        raise _NoLoginError(f"the answer of {name} is not understood")
    if user == "<token>":
        return _token(secret, name, identity=True)
    return Login(name, basic=basic(user, secret))
