"""npm's configuration: which registries, with which credentials, over which proxy.

Read as npm 9 to 12 do: environment (`npm_config_*`), then `.npmrc` beside the lockfile, then
the user's (`~/.npmrc`, or where `npm_config_userconfig` points), then the global one
(`<prefix>/etc/npmrc`); the first that has a setting wins. pnpm and Yarn Classic read the same
files for registries and credentials.

Nothing here ever turns certificate checks off, and no secret is in any `repr`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.npm.registry import DEFAULT_REGISTRY
from vendorpack.formats._shared.text.addresses import refused_variable, variable_in_path
from vendorpack.model import Access, Credential, Warning
from vendorpack.project import Host, Project
from vendorpack.redact import redact_url

Settings = dict[str, tuple[str, ...]]
"""Setting to its values; several only for lists (`ca[]=…`)."""

_ENVIRONMENT: Final = re.compile(r"npm_config_", re.IGNORECASE)
_VARIABLE: Final = re.compile(r"(?<!\\)(\\*)\$\{([^${}?]+)(\?)?\}")
_SCOPE_REGISTRY: Final = re.compile(r"(@[^/:]+):registry")
_PROXIES: Final = ("https-proxy", "proxy")
_WELL_KNOWN: Final = (Path("/usr/local/etc/npmrc"), Path("/usr/etc/npmrc"))
"""Global files of a node in /usr/local and in /usr, its two usual places."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """One source of settings.

    exposed: those that are an address with a variable in its path, and the variable.
    written: those with variables, as they stand there.
    """

    settings: Settings
    exposed: Mapping[str, str]
    written: Mapping[str, str]
    where: str


@dataclass(frozen=True, slots=True)
class Npmrc:
    """The settings in force.

    registry: where packages come from; always with a trailing slash, never with userinfo.
    scopes: scope (`@scope`) to its own registry, in the same form.
    warnings: settings that are not followed, and why.
    """

    registry: str
    scopes: Mapping[str, str]
    warnings: tuple[Warning, ...]
    _settings: Settings = field(repr=False)
    _exposed: Mapping[str, LockfileError]
    _written: Mapping[str, str]
    _credentials: tuple[Credential, ...] = field(repr=False)
    _folder: Path
    _home: Path

    def get(self, name: str) -> str | None:
        """A plain setting's value, such as `cache`; None if it is not set.

        Raises `LockfileError` for an address with a variable in its path.
        """
        if name in self._exposed:
            raise self._exposed[name]
        return _last(self._settings, name)

    def path(self, name: str) -> Path | None:
        """A setting that is a path; relative ones count from the project's folder."""
        value = self.get(name)
        return _path(value, self._folder, self._home) if value else None

    def registry_for(self, name: str) -> str:
        """The registry that package `name` comes from."""
        return self.scopes.get(name.partition("/")[0], self.registry)

    def registries(self) -> tuple[str, ...]:
        """All registries that are configured, sorted."""
        return tuple(sorted({self.registry, *self.scopes.values()}))

    def replace_host(self, url: str) -> str:
        """The address npm asks in place of a lockfile's `resolved`: `replace-registry-host`.

        Its default, `npmjs`, sends what was locked from the public registry to the configured
        one; `always` sends everything there, `never` nothing, a host name that host's.
        """
        wanted = self.get("replace-registry-host") or "npmjs"
        old, new = urlsplit(url), urlsplit(self.registry)
        if wanted == "npmjs":
            wanted = urlsplit(DEFAULT_REGISTRY).hostname or ""
        if old.scheme not in ("http", "https") or wanted not in ("always", old.hostname):
            return url
        prefix = new.path.rstrip("/")
        path = old.path if (old.path + "/").startswith(prefix + "/") else prefix + old.path
        return urlunsplit((new.scheme, new.netloc, path, old.query, old.fragment))

    def access(self, *extra: str) -> Access:
        """Where this configuration lets us go. `extra`: addresses whose origins are allowed too."""
        addresses = (DEFAULT_REGISTRY, *self.registries(), *extra)
        cafile = self.path("cafile")
        if cafile is not None and "cafile" in self._written and not cafile.exists():
            raise LockfileError(f"there is no such cafile: {self._written['cafile']}")
        for name in _PROXIES:
            if name in self._written and "://" not in (_last(self._settings, name) or ""):
                raise LockfileError(f"{name} is not an address: {self._written[name]}")
        return Access(
            origins=frozenset(_origin(address) for address in addresses),
            credentials=self._credentials,
            ca_files=(str(cafile),) if cafile else (),
            proxies=_proxies(self._settings),
        )


def load_npmrc(project: Project) -> Npmrc:
    """Read the configuration that npm would see in the lockfile's folder.

    Raises `LockfileError` for a file that cannot be read, a registry that is no address, or one
    with a variable in its path.
    """
    shown = str(project.lockfile.parent / ".npmrc")
    local = _parse(project.settings(".npmrc"), project.host.environ, shown)
    return _load(project.host, project.folder, [local])


def load_user_npmrc(host: Host) -> Npmrc:
    """Read the configuration that npm would see outside of any project."""
    return _load(host, host.home, [])


def _load(host: Host, folder: Path, project: list[_Layer]) -> Npmrc:
    environ = host.environ
    layers = [_from_environment(environ), *project]

    def look_up(name: str) -> Path | None:
        value = next((v for layer in layers if (v := _last(layer.settings, name))), None)
        return _path(value, folder, host.home) if value else None

    user = look_up("userconfig") or host.home / ".npmrc"
    if not project or user != folder / ".npmrc":
        layers.append(_parse(host.config_bytes(user), environ, str(user)))
    prefix = look_up("prefix")
    if prefix is None and environ.get("PREFIX"):
        prefix = Path(environ["PREFIX"])
    system = look_up("globalconfig") or (prefix / "etc" / "npmrc" if prefix else None)
    for path in (system,) if system else _well_known(host):
        data = host.config_bytes(path)
        if data is not None:
            layers.append(_parse(data, environ, str(path)))
            break
    return _merge(layers, folder, host.home)


def _merge(layers: list[_Layer], folder: Path, home: Path) -> Npmrc:
    settings: Settings = {}
    sources: dict[str, str] = {}
    exposed: dict[str, LockfileError] = {}
    written: dict[str, str] = {}
    for layer in reversed(layers):
        settings |= layer.settings
        written = {n: w for n, w in written.items() if n not in layer.settings}
        written |= layer.written
        sources |= dict.fromkeys(layer.settings, layer.where)
        for name in layer.settings:
            exposed.pop(name, None)
        for name, variable in layer.exposed.items():
            exposed[name] = refused_variable(name, variable, layer.where)

    userinfo: list[Credential] = []

    def registry(setting: str) -> str:
        if setting in exposed:
            raise exposed[setting]
        value = settings[setting][-1]
        shown = redact_url(written.get(setting, value))
        address, credential = _registry(value, shown, sources[setting])
        userinfo.extend(credential)
        return address

    default = registry("registry") if _last(settings, "registry") else DEFAULT_REGISTRY
    scopes = {
        match[1]: registry(setting)
        for setting in sorted(settings)
        if (match := _SCOPE_REGISTRY.fullmatch(setting)) and _last(settings, setting)
    }
    registries = (default, *scopes.values())
    return Npmrc(
        registry=default,
        scopes=scopes,
        warnings=tuple(_warnings(settings, sources)),
        _settings=settings,
        _exposed=exposed,
        _written=written,
        _credentials=_credentials(settings, registries, userinfo),
        _folder=folder,
        _home=home,
    )


# -- files and environment -----------------------------------------------------------------


def _from_environment(environ: Mapping[str, str]) -> _Layer:
    """`npm_config_user_agent` and the like; an empty value is none."""
    found: Settings = {}
    exposed: dict[str, str] = {}
    written: dict[str, str] = {}
    for variable in sorted(environ):
        prefix = _ENVIRONMENT.match(variable)
        if prefix is None or not environ[variable]:
            continue
        name = variable[prefix.end() :]
        if not name.startswith("//"):  # keys that carry an address are taken as they are
            name = (name[:1] + name[1:].replace("_", "-")).lower()
        name, value = _expand(name, environ), environ[variable].strip()
        found[name] = (_expand(value, environ),)
        exposed |= _exposed(name, value, environ)
        written |= {name: value} if found[name] != (value,) else {}
    return _Layer(found, exposed, written, "the environment")


def _parse(data: bytes | None, environ: Mapping[str, str], where: str) -> _Layer:
    """Top-level settings of an ini file as the package `ini` 5 and 6 reads it."""
    found: Settings = {}
    exposed: dict[str, str] = {}
    as_written: dict[str, str] = {}
    text = (data or b"").decode("utf-8-sig", errors="replace")
    for raw in re.split(r"[\r\n]+", text):
        line = raw.strip()
        if not line or line[0] in ";#":
            continue
        if re.fullmatch(r"\[[^\]]*\]", line):
            break  # a section: npm has no settings in any, and there is no way back
        key, equals, value = line.partition("=")
        name = _unquote(key)
        written = _unquote(value).strip() if equals else "true"
        value = _expand(written, environ)
        if name.endswith("[]") and len(name) > 2:
            name = _expand(name[:-2], environ)
            found[name] = (*found.get(name, ()), value)
        elif name:
            name = _expand(name, environ)
            found[name] = (value,)
            exposed.pop(name, None)
            exposed |= _exposed(name, written, environ)
            as_written.pop(name, None)
            as_written |= {name: written} if value != written else {}
    return _Layer(found, exposed, as_written, where)


def _exposed(name: str, value: str, environ: Mapping[str, str]) -> dict[str, str]:
    variable = variable_in_path(value, _VARIABLE, lambda text: _expand(text, environ))
    return {name: variable} if variable else {}


def _unquote(raw: str) -> str:
    text = raw.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        inner = text[1:-1] if text[0] == "'" else text
        try:
            value = json.loads(inner)
        except (ValueError, RecursionError):
            return inner
        return value if isinstance(value, str) else inner
    plain: list[str] = []
    escaped = False
    for char in text:
        if escaped:
            plain.append(char if char in "\\;#" else "\\" + char)
            escaped = False
        elif char in ";#":
            break
        elif char == "\\":
            escaped = True
        else:
            plain.append(char)
    return ("".join(plain) + ("\\" if escaped else "")).strip()


def _expand(text: str, environ: Mapping[str, str]) -> str:
    """`${NAME}`; unset names stay as they are, `${NAME?}` is empty then, `\\${` escapes."""

    def value(match: re.Match[str]) -> str:
        slashes, name, optional = match[1], match[2], match[3]
        if len(slashes) % 2:
            return match[0][(len(slashes) + 1) // 2 :]
        fallback = "" if optional else f"${{{name}}}"
        return slashes[len(slashes) // 2 :] + environ.get(name, fallback)

    return _VARIABLE.sub(value, text)


def _path(value: str, folder: Path, home: Path) -> Path:
    if value.startswith(("~/", "~\\")):
        return home / value[2:]
    return folder / value


def _well_known(host: Host) -> tuple[Path, ...]:
    if host.os != "windows":
        return _WELL_KNOWN
    roaming = host.environ.get("APPDATA")
    return (Path(roaming, "npm", "etc", "npmrc"),) if roaming else ()


# -- what the settings mean ----------------------------------------------------------------


def _registry(value: str, shown: str, source: str) -> tuple[str, list[Credential]]:
    """A registry's address in its one form, and the credential that its userinfo was.

    shown: as it may be printed: without what variables hold.
    """
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.scheme not in ("http", "https"):
        raise LockfileError(
            f"a registry is not an http(s) address: {shown}",
            where=source,
            fix="Set `registry` to an address such as https://registry.example/npm/.",
        )
    path = parts.path.rstrip("/") + "/"
    address = urlunsplit((parts.scheme, _netloc(parts), path, "", ""))
    if parts.username is None:
        return address, []
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return address, [Credential(address, _basic(pair))]


def _credentials(
    settings: Settings, registries: tuple[str, ...], userinfo: list[Credential]
) -> tuple[Credential, ...]:
    """One for each `//host/path/` that has any, plus the registries' for the rest of their hosts.

    npm sends a registry's credential to every address of its host that has none of its own
    (tarballs often lie beside the registry's path); here only if it is clear whose.
    """
    found = {credential.prefix: credential.header for credential in userinfo}
    plain_http = {urlsplit(r).netloc for r in registries if r.startswith("http:")}
    for place in sorted({name.rpartition(":")[0] for name in settings if name.startswith("//")}):
        header = _header(settings, place)
        if header is None:
            continue
        host, _, path = place[2:].rstrip("/").partition("/")
        rest = f"//{host.lower()}/{path}/" if path else f"//{host.lower()}/"
        found["https:" + rest] = header
        if host.lower() in plain_http:
            found["http:" + rest] = header
    for origin in {_origin(registry) + "/" for registry in registries} - found.keys():
        headers = {
            header
            for registry in registries
            if _origin(registry) + "/" == origin
            if (header := _best(found, registry)) is not None
        }
        if len(headers) == 1:
            found[origin] = headers.pop()
    return tuple(Credential(prefix, found[prefix]) for prefix in sorted(found))


def _best(headers: Mapping[str, str], url: str) -> str | None:
    prefixes = [prefix for prefix in headers if url.startswith(prefix)]
    return headers[max(prefixes, key=len)] if prefixes else None


def _header(settings: Settings, place: str) -> str | None:
    token, auth, user, password = (
        _last(settings, f"{place}:{key}")
        for key in ("_authToken", "_auth", "username", "_password")
    )
    if token:
        return f"Bearer {token}"
    if auth:
        return f"Basic {auth}"
    if user and password:
        try:
            return _basic(f"{user}:{base64.b64decode(password).decode(errors='replace')}")
        except (binascii.Error, ValueError):
            return None
    return None


def _basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _proxies(settings: Settings) -> dict[str, str]:
    proxy = next((found for name in _PROXIES if (found := _last(settings, name))), None)
    # npm takes one proxy for both schemes; `false` and `null` switch it off.
    return {"http": proxy, "https": proxy} if proxy not in (None, "false", "null") else {}


def _warnings(settings: Settings, sources: Mapping[str, str]) -> Iterator[Warning]:
    if _last(settings, "strict-ssl") == "false":
        yield Warning(
            "strict-ssl=false is not followed: certificates are always checked "
            "(set cafile to the authority's PEM file)",
            sources["strict-ssl"],
        )
    if _last(settings, "ca") not in (None, "null"):
        yield Warning(
            "ca is not followed: put the certificate into a file and set cafile", sources["ca"]
        )
    if _proxies(settings) and _last(settings, "noproxy"):
        yield Warning("noproxy is not followed: set NO_PROXY", sources["noproxy"])
    for name in sorted(settings):
        if name in ("_auth", "_authToken", "_password"):
            yield Warning(
                f"{name} without a registry's address is not followed, as in npm 9 and newer: "
                f"write //host/path/:{name}",
                sources[name],
            )
        elif name.startswith("//") and name.endswith((":certfile", ":keyfile")):
            yield Warning(
                f"{name.rpartition(':')[2]} is not followed: client certificates are not supported",
                sources[name],
            )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{_netloc(parts)}"


def _netloc(parts: SplitResult) -> str:
    """Host and port in one form: no userinfo, lower case, no default port."""
    netloc = parts.netloc.rpartition("@")[2].lower()
    return netloc.removesuffix({"https": ":443", "http": ":80"}.get(parts.scheme, "@"))


def _last(settings: Settings, name: str) -> str | None:
    values = settings.get(name)
    return values[-1] if values else None
