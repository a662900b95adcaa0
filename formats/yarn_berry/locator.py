"""Yarn's names for packages: idents, locators, references, and the slug that names a zip.

A locator is `name@reference`, a reference `<protocol>:<source>#<selector>::<parameters>`.
Hashes are sha512 over plain concatenation, as in Yarn 2 to 4 (`structUtils`)::

    identHash   = sha512hex(scope + name)           without `@` and `/`; no scope is ""
    locatorHash = sha512hex(identHash + reference)
    slug        = [@scope-]name-<protocol>[-<version>]-<first 10 digits of locatorHash>
"""

from __future__ import annotations

import hashlib
import re
from typing import Final
from urllib.parse import parse_qsl, unquote

from vendorpack.dataclass import dataclass

_LOCATOR: Final = re.compile(r"(?:@([^/]+?)/)?([^@/]+?)@(.+)")
_REFERENCE: Final = re.compile(r"([^#:]*:)?((?:(?!::)[^#])*)(?:#((?:(?!::).)*))?(?:::(.*))?")
_NUMBER: Final = r"(?:0|[1-9][0-9]{0,15})"
_SEMVER: Final = re.compile(
    rf"v?(?P<version>{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    rf"(?:-(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
    rf"(?:\.(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?)"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_HASH_DIGITS: Final = 10


@dataclass(frozen=True, slots=True, order=True)
class Locator:
    """One exact package: where it is from and which one.

    scope: without `@`; empty if the name has none.
    reference: as it stands in the lockfile's `resolution`, such as `npm:1.2.3`.
    """

    scope: str
    base_name: str
    reference: str

    @classmethod
    def parse(cls, text: str) -> Locator | None:
        """Read `@scope/name@npm:1.2.3`; None if it is none."""
        match = _LOCATOR.fullmatch(text)
        return cls(match[1] or "", match[2], match[3]) if match else None

    @property
    def name(self) -> str:
        """`@scope/name`, or the name alone."""
        return f"@{self.scope}/{self.base_name}" if self.scope else self.base_name

    @property
    def slug(self) -> str:
        """What Yarn begins the names of a package's files with."""
        reference = Reference.parse(self.reference)
        protocol = reference.protocol.removesuffix(":") or "exotic"
        version = plain_version(reference.selector)
        ident_hash = _sha512(self.scope + self.base_name)
        parts = (
            f"@{self.scope}-{self.base_name}" if self.scope else self.base_name,
            protocol if version is None else f"{protocol}-{version}",
            _sha512(ident_hash + self.reference)[:_HASH_DIGITS],
        )
        return "-".join(parts)

    def __str__(self) -> str:
        return f"{self.name}@{self.reference}"


@dataclass(frozen=True, slots=True)
class Reference:
    """The parts of a reference, percent-decoded.

    protocol: with its colon (`npm:`); empty if there is none.
    source: what stands before `#`; empty if there is no `#`.
    selector: what stands after `#`, or the whole if there is no `#`.
    parameters: what stands after `::`.
    """

    protocol: str
    source: str
    selector: str
    parameters: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Take a reference apart; every text of one line is one."""
        match = _REFERENCE.fullmatch(text)
        protocol, before, after, parameters = match.groups() if match else ("", text, None, None)
        return cls(
            protocol or "",
            "" if after is None else unquote(before),
            unquote(before if after is None else after),
            dict(parse_qsl(parameters or "", keep_blank_values=True)),
        )


def plain_version(text: str) -> str | None:
    """The semantic version without `v` and build metadata; None if it is none."""
    match = _SEMVER.fullmatch(text.strip())
    return match["version"] if match else None


def _sha512(text: str) -> str:
    return hashlib.sha512(text.encode()).hexdigest()
