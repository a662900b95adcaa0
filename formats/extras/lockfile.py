"""artifacts.lock.yaml: text to pins. Pure.

The format of hermeto's generic fetcher, versions 1.0 and 2.0 (`generic/models.py`), unchanged::

    metadata:
      version: "1.0"
    artifacts:
      - download_url: https://…
        checksum: sha256:<hex>
        filename: a/sub-path          # else the last part of the address
      - type: maven
        attributes: {repository_url: https://…, group_id: …, artifact_id: …, version: …}
        checksum: sha256:<hex>        # attributes may have classifier and type, too

2.0 has `auth` in an artifact: `bearer` with `header` (Authorization) and `value`, or `basic` with
`username` and `password`. `$NAME` and `${NAME}` in these stand for variables of the environment,
`$$` for a dollar sign. As there, no other key is allowed, and no address and no file name may come
twice.

One comment means something, to us alone: `# fetches nothing: NAME, NAME` names packages whose
install scripts need no file, so that none of them is warned of.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final, Never
from urllib.parse import unquote, urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.digest import SIZES, Digest, DigestError, Integrity
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.maven.files import coordinates
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.formats._shared.text.json_text import decode_utf8
from vendorpack.formats._shared.text.yaml_text import Yaml, load_yaml
from vendorpack.model import Credential
from vendorpack.project import Project
from vendorpack.redact import redact_url

NAME: Final = "artifacts.lock.yaml"

SETTLING: Final = "# fetches nothing:"

_VERSIONS: Final = ("1.0", "2.0")
_PLAIN_KEYS: Final = ("download_url", "checksum", "filename", "auth")
_MAVEN_KEYS: Final = ("type", "attributes", "checksum", "filename", "auth")
_ATTRIBUTES: Final = ("repository_url", "group_id", "artifact_id", "version")
_OPTIONAL_ATTRIBUTES: Final = ("classifier", "type")
_EXTENSIONS: Final = {
    **dict.fromkeys(("ejb", "ejb-client", "javadoc", "java-source", "maven-plugin"), "jar"),
    "javadoc-source": "jar",
    "test-jar": "jar",
}
"""Types of Maven's whose files end otherwise than they are called."""
_VARIABLE: Final = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\}|(\$))", re.ASCII)
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NEW: Final = '---\nmetadata:\n  version: "1.0"\nartifacts:\n'
_FIX: Final = "docs/extras.md says what the file may have."


@dataclass(frozen=True, slots=True)
class Pin:
    """A file. purl: if it is more than a generic one's."""

    url: str
    integrity: Integrity
    place: str
    where: str
    purl: str | None = None
    credential: Credential | None = field(default=None, repr=False)


def parse_artifacts_lock(project: Project) -> tuple[Pin, ...]:
    """Read the file. Raises `LockfileError`."""
    data = project.lock_bytes()
    shown = project.where()
    value = load_yaml(data, shown).value
    reader = _Reader(project, decode_utf8(data, shown).splitlines())
    top = reader.mapping(value, ("metadata", "artifacts"), shown)
    version = reader.mapping(top["metadata"], ("version",), shown)["version"]
    if version not in _VERSIONS:
        raise LockfileError(
            f"its version is {version!r}, not one of {', '.join(_VERSIONS)}",
            where=reader.line_of("version"),
            fix=_FIX,
        )
    listed = top["artifacts"]
    if not isinstance(listed, list):
        raise LockfileError("artifacts is no list", where=reader.line_of("artifacts"), fix=_FIX)
    pins = tuple(reader.pin(one, version) for one in listed)
    for what, key in (("address", _url_of), ("file name", _place_of)):
        seen: dict[str, Pin] = {}
        for pin in pins:
            first = seen.setdefault(key(pin), pin)
            if first is not pin:
                raise LockfileError(
                    f"the {what} {redact_url(key(pin))} comes twice",
                    where=f"{first.where} and {pin.where}",
                    fix="Take one of them away, or give it a filename of its own.",
                )
    return pins


def settled(project: Project) -> frozenset[str]:
    """The names in the comments that begin so."""
    lines = decode_utf8(project.lock_bytes(), project.where()).splitlines()
    said = [line.strip() for line in lines]
    lists = [line.removeprefix(SETTLING) for line in said if line.startswith(SETTLING)]
    return frozenset(name.strip() for names in lists for name in names.split(",") if name.strip())


def _url_of(pin: Pin) -> str:
    return pin.url


def _place_of(pin: Pin) -> str:
    return pin.place


@dataclass(frozen=True, slots=True)
class _Reader:
    project: Project
    lines: list[str]

    def line_of(self, text: str) -> str:
        """`path:line` of the first line with this text; the path alone if none has it."""
        for number, line in enumerate(self.lines, 1):
            if text and text in line:
                return self.project.where(number)
        return self.project.where()

    def mapping(
        self, value: Yaml, keys: tuple[str, ...], where: str, optional: tuple[str, ...] = ()
    ) -> dict[str, Yaml]:
        """A mapping that has these keys and no others."""
        if not isinstance(value, dict):
            self._refuse(f"a mapping with {', '.join(keys)} is expected", where)
        for key in value:
            if key not in keys and key not in optional:
                self._refuse(f"the key {key[:100]!r} is not known here", where)
        for key in keys:
            if key not in value:
                self._refuse(f"{key} is missing", where)
        return value

    def pin(self, value: Yaml, version: str) -> Pin:
        """One artifact."""
        if not isinstance(value, dict):
            self._refuse("an artifact is no mapping", self.line_of("artifacts"))
        if "type" in value:
            return self._maven(value, version)
        url = self._text(value, "download_url", self.line_of("- "))
        where = self.line_of(url)
        found = self.mapping(value, _PLAIN_KEYS[:2], where, _PLAIN_KEYS[2:])
        self._check_address(url, where)
        return Pin(
            url,
            self._integrity(found, where),
            self._place(found, unquote(urlsplit(url).path).rpartition("/")[2], where),
            where,
            credential=self._credential(found, version, url, where),
        )

    def _maven(self, value: dict[str, Yaml], version: str) -> Pin:
        attributes = value.get("attributes")
        name = attributes.get("artifact_id") if isinstance(attributes, dict) else None
        where = self.line_of(str(name or "attributes"))
        found = self.mapping(value, _MAVEN_KEYS[:3], where, _MAVEN_KEYS[3:])
        if found["type"] != "maven":
            self._refuse(f"the type {found['type']!r} is not maven, the only one there is", where)
        given = self.mapping(found["attributes"], _ATTRIBUTES, where, _OPTIONAL_ATTRIBUTES)
        base, group, artifact, release = (self._text(given, key, where) for key in _ATTRIBUTES)
        classifier = self._text(given, "classifier", where) if given.get("classifier") else ""
        kind = self._text(given, "type", where) if given.get("type") else "jar"
        file = f"{artifact}-{release}" + (f"-{classifier}" if classifier else "")
        file += f".{_EXTENSIONS.get(kind, kind)}"
        path = f"{group.replace('.', '/')}/{artifact}/{release}/{file}"
        self._check_address(base, where)
        url = f"{base.rstrip('/')}/{path}"
        return Pin(
            url,
            self._integrity(found, where),
            self._place(found, file, where),
            where,
            purl=coordinates(path, where).purl,
            credential=self._credential(found, version, url, where),
        )

    def _text(self, value: Mapping[str, Yaml], key: str, where: str) -> str:
        text = value.get(key)
        if not isinstance(text, str) or not text:
            self._refuse(f"{key} is missing, or no text", where)
        return text

    def _check_address(self, url: str, where: str) -> None:
        if not is_http(url):
            self._refuse(f"{redact_url(url)[:200]!r} is no http(s) address", where)
        parts = urlsplit(url)
        if parts.username or parts.password:
            raise LockfileError(
                f"there is a login in the address {redact_url(url)}",
                where=where,
                fix="Put it into .netrc, or under auth with a variable of the environment.",
            )

    def _integrity(self, found: Mapping[str, Yaml], where: str) -> Integrity:
        text = self._text(found, "checksum", where)
        algorithm, colon, digits = text.partition(":")
        if not colon or algorithm not in SIZES:
            self._refuse(f"the checksum {text[:100]!r} is not sha256:… or the like", where)
        try:
            return Integrity.of([Digest.from_hex(algorithm, digits)])
        except DigestError as error:
            self._refuse(str(error), where)

    def _place(self, found: Mapping[str, Yaml], otherwise: str, where: str) -> str:
        place = self._text(found, "filename", where) if found.get("filename") else otherwise
        parts = place.split("/")
        if (
            not {"", ".", ".."}.isdisjoint(parts)
            or "\\" in place
            or place[1:2] == ":"
            or not place.isprintable()
        ):
            raise LockfileError(
                f"{place[:200]!r} is no name of a file below a folder",
                where=where,
                fix="Give it one: filename: name.tar.gz, or folder/name.tar.gz.",
            )
        return place

    def _credential(
        self, found: Mapping[str, Yaml], version: str, url: str, where: str
    ) -> Credential | None:
        if "auth" not in found:
            return None
        if version == "1.0":
            self._refuse("auth needs metadata.version 2.0", where)
        auth = self.mapping(found["auth"], (), where, ("basic", "bearer"))
        if len(auth) != 1:
            self._refuse("auth has basic or bearer, one of them", where)

        def value(given: Mapping[str, Yaml], key: str) -> str:
            return self._expanded(self._text(given, key, where), where)

        name = "Authorization"
        if "basic" in auth:
            basic = self.mapping(auth["basic"], ("username", "password"), where)
            login = f"{value(basic, 'username')}:{value(basic, 'password')}"
            secret = f"Basic {base64.b64encode(login.encode()).decode()}"
        else:
            bearer = self.mapping(auth["bearer"], ("value",), where, ("header",))
            name = self._text(bearer, "header", where) if "header" in bearer else name
            if not _HEADER_NAME.fullmatch(name):
                self._refuse(f"{name[:100]!r} is no name of a header", where)
            secret = value(bearer, "value")
        return Credential(url.partition("?")[0].partition("#")[0], secret, name)

    def _expanded(self, text: str, where: str) -> str:
        environ = self.project.variables

        def value(found: re.Match[str]) -> str:
            name = found[1] or found[2]
            if found[3]:
                return "$"
            if name not in environ:
                raise LockfileError(
                    f"auth wants the environment variable {name}, which is not set",
                    where=where,
                    fix=f"Set {name} where this is packed.",
                )
            return environ[name]

        return _VARIABLE.sub(value, text)

    @staticmethod
    def _refuse(what: str, where: str) -> Never:
        raise LockfileError(what, where=where, fix=_FIX)


def with_artifacts(text: bytes | None, where: str, blocks: Sequence[str]) -> bytes:
    """The file `text`, which was read, with artifacts behind its own; None: a new one.

    Nothing that stands there changes. Raises `LockfileError` for a list in brackets.
    """
    if text is None:
        return (_NEW + "".join(blocks)).encode()
    lines = decode_utf8(text, where).splitlines()
    start = next(
        (number for number, line in enumerate(lines) if re.fullmatch(r"artifacts:\s*(#.*)?", line)),
        None,
    )
    if start is None:
        raise LockfileError(
            "artifacts is not a list with an artifact a line, behind which more can be written",
            where=where,
            fix="Write it as docs/extras.md shows it.",
        )
    items = [line for line in lines[start + 1 :] if line.lstrip().startswith("- ")]
    indent = len(items[0]) - len(items[0].lstrip()) if items else 2
    rest = start + 1
    for number in range(start + 1, len(lines)):
        line = lines[number]
        if line and not line[0].isspace() and not line.startswith(("-", "#")):
            break
        if line.strip():
            rest = number + 1
    added = [" " * indent + line[2:] for block in blocks for line in block.splitlines()]
    return "".join(f"{line}\n" for line in (*lines[:rest], *added, *lines[rest:])).encode()


def block(pin: Pin, comment: str) -> str:
    """The lines of one artifact, indented by two."""
    digest = pin.integrity.strongest[0]
    lines = [f"  # {comment}", f"  - download_url: {pin.url}"]
    lines.append(f"    checksum: {digest.algorithm}:{digest.hex}")
    if pin.place != unquote(urlsplit(pin.url).path).rpartition("/")[2]:
        lines.append(f"    filename: {pin.place}")
    return "\n".join([*lines, ""])
