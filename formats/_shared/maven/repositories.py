"""Which repositories there are, where, and with which credentials.

From the room's own option (`--maven-repo id=https://…`), then the user's `~/.m2/settings.xml`, as
Maven 3.8 to 4 read it: mirrors (`mirrorOf` may be `*`, `external:*`, ids, `!id`), servers, and the
repositories of its profiles. `central` is there in any case. A POM's own repositories are not
asked: it is text of somebody else's, and they would learn which packages a company has.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError, UnsupportedError, UsageError
from vendorpack.formats._shared.text.addresses import refused_variable, variable_in_path
from vendorpack.formats._shared.text.xml_text import Element, load_xml
from vendorpack.model import Access, Credential, Warning
from vendorpack.project import Host

CENTRAL: Final = "https://repo.maven.apache.org/maven2/"
"""The public repository that every Maven asks unless it is configured otherwise."""

_VARIABLE: Final = re.compile(r"\$\{env\.([^}]+)\}")
_ENCRYPTED: Final = re.compile(r"\{[A-Za-z0-9+/=]+\}")


@dataclass(frozen=True, slots=True)
class Mirror:
    """A repository that is asked in place of others."""

    id: str
    of: tuple[str, ...]
    url: str

    def serves(self, repository: str) -> bool:
        """Whether it stands for a repository that is reached by https."""
        if f"!{repository}" in self.of:
            return False
        return repository in self.of or "*" in self.of or "external:*" in self.of


@dataclass(frozen=True, slots=True)
class Repositories:
    """The repositories in force. named: id to address; addresses end with a slash."""

    named: Mapping[str, str]
    mirrors: tuple[Mirror, ...] = ()
    credentials: tuple[Credential, ...] = field(default=(), repr=False)
    warnings: tuple[Warning, ...] = ()
    local: Path | None = None
    """Where settings.xml says that Maven keeps its own."""

    def sources(self, repository: str, where: str, *, option: str) -> tuple[str, ...]:
        """Addresses to ask for what came from a repository: its own first, then its mirror's.

        A lockfile may name a mirror of whoever recorded it. Raises `UnsupportedError` for an id
        that nothing here has an address for.
        """
        mirror = next((m for m in self.mirrors if m.serves(repository)), None)
        own = self.named.get(repository) or next(
            (m.url for m in self.mirrors if m.id == repository), None
        )
        if own is None and mirror is None:
            raise UnsupportedError(
                f"nothing says where the repository {repository!r} is",
                where=where,
                fix=f"Say it: {option} {repository}=https://…",
            )
        if mirror is None:
            return (own or "",)
        return (own or mirror.url, mirror.url)

    def everywhere(self) -> tuple[str, ...]:
        """All addresses, those of the user's own before the public one."""
        ids = [i for i in self.named if i != "central"]
        found = [a for i in (*ids, "central") for a in self.sources(i, "", option="")[-1:]]
        return tuple(dict.fromkeys(found))

    def with_url_hash(self, digest: str) -> str | None:
        """The id of the repository whose address, without a slash at its end, has this sha1."""
        places = {**self.named, **{m.id: m.url for m in self.mirrors}}
        return next((i for i, url in places.items() if url_hash(url) == digest), None)

    def access(self, *public: str) -> Access:
        """Where this configuration lets us go. public: repositories that the ecosystem has too."""
        urls = (*self.named.values(), *(m.url for m in self.mirrors), *public)
        return Access(origins=frozenset(map(_origin, urls)), credentials=self.credentials)


def url_hash(url: str) -> str:
    """The sha1 by which Maven 3.10 knows a repository's address."""
    return hashlib.sha1(url.rstrip("/").encode(), usedforsecurity=False).hexdigest()


def load_repositories(host: Host, option: str, text: str) -> Repositories:
    """What the option's value `text` and the user's settings say.

    option: how the option is typed, for errors. Raises `UsageError`, `LockfileError`.
    """
    path = host.home / ".m2" / "settings.xml"
    data = host.config_bytes(path)
    if data is None:
        return Repositories({**_asked_for(option, text), "central": CENTRAL})
    settings = load_xml(data, str(path))
    shown = str(path)
    named = dict(_profiles(settings, host, shown))
    mirrors = tuple(_mirrors(settings, host, shown))
    named = {**named, **_asked_for(option, text)}
    named.setdefault("central", CENTRAL)
    warnings: list[Warning] = []
    credentials = _credentials(settings, host, named, mirrors, shown, warnings)
    local = _expand(settings.get("localRepository"), host)
    return Repositories(
        named,
        mirrors,
        tuple(credentials),
        tuple(warnings),
        Path(local.replace("${user.home}", str(host.home))) if local else None,
    )


def _asked_for(option: str, text: str) -> dict[str, str]:
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, url = part.partition("=")
        if not equals or not name or urlsplit(url).scheme not in ("https", "http"):
            raise UsageError(
                f"{option} takes id=https://…, not {part[:100]!r}",
                fix=f"{option} corp=https://repo.example/maven, several with commas between.",
            )
        found[name] = url.rstrip("/") + "/"
    return found


def _profiles(settings: Element, host: Host, where: str) -> Iterator[tuple[str, str]]:
    for kind in ("repositories/repository", "pluginRepositories/pluginRepository"):
        for repository in settings.all(f"profiles/profile/{kind}"):
            yield repository.get("id"), _address(repository, host, where)


def _mirrors(settings: Element, host: Host, where: str) -> Iterator[Mirror]:
    for mirror in settings.all("mirrors/mirror"):
        if mirror.get("blocked") == "true":
            continue
        of = tuple(part.strip() for part in mirror.get("mirrorOf").split(","))
        yield Mirror(mirror.get("id"), of, _address(mirror, host, where))


def _address(element: Element, host: Host, where: str) -> str:
    written = element.get("url")
    url = _expand(written, host)
    variable = variable_in_path(written, _VARIABLE, lambda text: _expand(text, host))
    if variable is not None:
        setting = f"the address of {element.get('id')[:100]!r}"
        raise refused_variable(setting, variable, f"{where}:{element.line}")
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and not parts.username:
            return url.rstrip("/") + "/"
    except ValueError:
        pass
    raise LockfileError(
        f"the address of {element.get('id')[:100]!r} is no http(s) address without a login",
        where=f"{where}:{element.line}",
        fix="Credentials belong into <servers>.",
    )


def _credentials(
    settings: Element,
    host: Host,
    named: Mapping[str, str],
    mirrors: tuple[Mirror, ...],
    where: str,
    warnings: list[Warning],
) -> Iterator[Credential]:
    places = {**named, **{mirror.id: mirror.url for mirror in mirrors}}
    for server in settings.all("servers/server"):
        prefix = places.get(server.get("id"))
        if prefix is None:
            continue
        line = f"{where}:{server.line}"
        for header in server.all("configuration/httpHeaders/property"):
            if header.get("name").lower() == "authorization":
                yield Credential(prefix, _expand(header.get("value"), host))
            else:
                what = f"the header {header.get('name')[:100]!r} of a server is not sent"
                warnings.append(Warning(what, line))
        user, password = (_expand(server.get(key), host) for key in ("username", "password"))
        if _ENCRYPTED.fullmatch(password):
            warnings.append(
                Warning(
                    f"the password of {server.get('id')[:100]!r} is encrypted, and not used: give "
                    "it as ${env.NAME} or in .netrc",
                    line,
                )
            )
        elif user and password:
            pair = base64.b64encode(f"{user}:{password}".encode()).decode()
            yield Credential(prefix, f"Basic {pair}")


def _expand(text: str, host: Host) -> str:
    return _VARIABLE.sub(lambda found: host.environ.get(found[1], found[0]), text)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
