"""Which licences may be packed: `--allow-license`, `--deny-license`.

A rule is an SPDX id, a pattern of ids (`*GPL*`), or a licence's name as an artifact has it. It
means an id with any exception (`WITH …`) too, unless it names one, and a licence that offers later
versions (`-or-later`, `+`) as well as the version alone, since nobody can say that there is a
later one. Of `OR` one side has to do, of `AND` both, of several that are only listed all of them.

What is no expression is compared as a whole; it is denied for one of its words too. What declares
no licence counts as `NONE`, which is denied or allowed by that name: so where licences are allowed
by name, it is refused unless NONE is among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import LicenseError, UsageError
from vendorpack.model import Json
from vendorpack.spdx import canonical, parts, satisfied

NONE: Final = "NONE"
_SHOWN: Final = 10
_WORD: Final = re.compile(r"[A-Za-z0-9.+-]+")
_LATER: Final = re.compile(r"(-or-later|\+)(?=$| )")
_GNU: Final = re.compile(r"(?:A|L)?GPL|GFDL")


@dataclass(frozen=True, slots=True)
class LicenseRules:
    """allow: if there are any, only these may be packed. deny: these may not. In either case."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    @classmethod
    def of(cls, allow: Iterable[str], deny: Iterable[str]) -> LicenseRules:
        """The rules as they were typed. Raises `UsageError` for one that names several licences."""
        return cls(tuple(map(_rule, allow)), tuple(map(_rule, deny)))

    def permits(self, text: str) -> bool:
        """Whether an artifact that declares this may be packed."""
        listed = parts(text)
        if listed:
            return all(satisfied(expression, self._accepts) for expression in listed)
        name = text or NONE
        words = [name, *(canonical(word) or word for word in _WORD.findall(text))]
        denied = any(_means(rule, word) for rule in self.deny for word in words)
        return not denied and (not self.allow or any(_means(rule, name) for rule in self.allow))

    def refused(self, records: Iterable[Mapping[str, Json]]) -> list[Mapping[str, Json]]:
        """Of the manifest's artifacts, those that may not be packed.

        A file out of a package (a go.mod, by its purl's subpath) is judged with the package.
        """
        if not self.allow and not self.deny:
            return []
        return [
            record
            for record in records
            if "#" not in str(record.get("purl", "")) and not self.permits(license_of(record))
        ]

    def check(self, records: Iterable[Mapping[str, Json]]) -> None:
        """Refuse them. Raises `LicenseError`."""
        refused = self.refused(records)
        if not refused:
            return
        count = "1 artifact is" if len(refused) == 1 else f"{len(refused)} artifacts are"
        texts = sorted({license_of(record) or NONE for record in refused})
        more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
        raise LicenseError(
            f"{count} under a licence that is not permitted: {', '.join(texts[:_SHOWN])}{more}",
            where=_list(refused),
            fix="Depend on something else, leave it out (--exclude NAME), or permit the licence.",
        )

    def _accepts(self, licence: str) -> bool:
        names = [*_names(licence)]
        if any(_means(rule, name) for rule in self.deny for name in names):
            return False
        return not self.allow or any(_means(rule, name) for rule in self.allow for name in names)


ANY_LICENSE: Final = LicenseRules()


def license_of(record: Mapping[str, Json]) -> str:
    """What an artifact of the manifest declares; empty if nothing is known."""
    text = record.get("license")
    return text if isinstance(text, str) else ""


def _rule(text: str) -> str:
    found = canonical(text)
    if re.search(r" (?:AND|OR) ", found):
        raise UsageError(
            f"{text!r} names several licences", fix="Give the option once for each of them."
        )
    return found or text.strip()


def _means(rule: str, name: str) -> bool:
    return fnmatchcase(name.lower(), rule.lower())


def _names(licence: str) -> Iterator[str]:
    """A licence, and what it comes to without its exception and its later versions."""
    for name in (licence, licence.partition(" WITH ")[0]):
        yield name
        if _LATER.search(name):
            yield _LATER.sub("-only" if _GNU.match(name) else "", name)


def _list(records: Sequence[Mapping[str, Json]]) -> str:
    lines = [
        f"{r.get('where')}: {r.get('name')} {r.get('version')} ({license_of(r) or 'declares none'})"
        for r in records[:_SHOWN]
    ]
    if len(records) > _SHOWN:
        lines.append(f"… and {len(records) - _SHOWN} more")
    return "\n".join(lines)
