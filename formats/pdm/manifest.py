"""What pyproject.toml tells PDM: which indexes are asked for what, and what the project is.

::

    [[tool.pdm.source]]
    name = "corp"                            # `pypi` takes the default's place
    url = "https://${USER}:${PASSWORD}@index.example/simple"
    include_packages = ["corp-*"]            # PDM asks this index alone for them
    exclude_packages = ["*"]                 # and does not ask it for these

A pattern is one of shell's, for normalised names; what one index includes, only those that include
it are asked for (PDM 2.22 to 2.29, `utils.py`, `filtered_sources`). Seen for what is installed and
for what that is built with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from fnmatch import fnmatchcase

from vendorpack.dataclass import dataclass
from vendorpack.formats._shared.python.builds.resolver import Tiers
from vendorpack.formats._shared.python.index import DEFAULT_INDEX, normalize
from vendorpack.formats._shared.python.pip_config import expand_userinfo, index_address
from vendorpack.formats._shared.text.toml_text import (
    Table,
    load_toml,
    optional_text,
    subtable,
    tables,
    text,
    text_list,
)
from vendorpack.model import Json
from vendorpack.project import Project

_NOT_IN_PATTERN = re.compile(r"[^A-Za-z0-9?*\[\]-]+")


@dataclass(frozen=True, slots=True)
class Source:
    """An index, and the patterns of names that it alone is asked for, or that it is not."""

    address: str
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sources:
    """All of them, in PDM's order.

    logins: (address, Authorization header). own: addresses of the user's own settings.
    """

    indexes: tuple[Source, ...]
    logins: tuple[tuple[str, str], ...] = field(repr=False)
    own: tuple[str, ...]

    @property
    def addresses(self) -> tuple[str, ...]:
        """Each address once."""
        return tuple(dict.fromkeys(index.address for index in self.indexes))

    def asked_for(self, name: str) -> tuple[str, ...]:
        """The addresses that PDM asks for a project."""
        name = normalize(name)
        including = [i for i in self.indexes if _matches(name, i.includes)]
        asked = including or [i for i in self.indexes if not _matches(name, i.excludes)]
        return tuple(dict.fromkeys(index.address for index in asked))

    def __call__(self, name: str, tiers: Tiers) -> Tiers:
        """Of tiers of one address each, those that PDM asks for a project: see `Narrow`."""
        asked = self.asked_for(name)
        return tuple(tier for tier in tiers if {*tier} & {*asked})

    def fingerprint(self) -> dict[str, Json]:
        """What decides which index is asked for what, beside the addresses."""
        patterns: list[Json] = [
            [index.address, [*index.includes], [*index.excludes]]
            for index in self.indexes
            if index.includes or index.excludes
        ]
        return {"patterns": patterns} if patterns else {}


def load_sources(project: Project) -> Sources:
    """Read pyproject.toml and the environment. Raises `LockfileError`, `UnsupportedError`.

    What a lockfile's own text may not decide (`Project.trusted`) is left out.
    """
    environ = project.host.environ
    mirror = environ.get("PDM_PYPI_URL")
    if mirror and project.host.is_of_bundle(mirror):
        mirror = None
    indexes: list[Source] = []
    logins: list[tuple[str, str]] = []

    def add(url: str, where: str, table: Table) -> None:
        address, login = index_address(url, where)
        logins.extend(login)
        includes, excludes = (
            tuple(sorted(_NOT_IN_PATTERN.sub("-", t).lower() for t in text_list(table, k, where)))
            for k in ("include_packages", "exclude_packages")
        )
        indexes.append(Source(address, includes, excludes))

    document, data, path = _pyproject(project)
    written = tables(document, data, "tool.pdm.source", path) if project.trusted else ()
    asked = [(t, at) for t, at in written if optional_text(t, "type", at) != "find_links"]
    if not any(optional_text(table, "name", where) == "pypi" for table, where in asked):
        add(mirror or DEFAULT_INDEX, "the environment (PDM_PYPI_URL)", {})
    for table, where in asked:
        add(expand_userinfo(text(table, "url", where), environ, where), where, table)
    own = (index_address(mirror, "PDM_PYPI_URL")[0],) if mirror else ()
    return Sources(tuple(indexes), tuple(logins), own)


def names_of_sources(project: Project) -> list[str]:
    """The names of the indexes that pyproject.toml has."""
    document, _, path = _pyproject(project)
    listed = subtable(subtable(document, "tool", path), "pdm", path).get("source")
    entries = listed if isinstance(listed, list) else []
    return [str(entry.get("name")) for entry in entries if isinstance(entry, Mapping)]


def is_distribution(project: Project) -> bool:
    """Whether `pdm install` installs the project itself (PDM, `Project.is_distribution`)."""
    document, _, path = _pyproject(project)
    settings = subtable(subtable(document, "tool", path), "pdm", path)
    if "name" not in subtable(document, "project", path):
        return False
    if "package-type" in settings:
        return bool(settings["package-type"] == "library")
    return bool(settings.get("distribution", True))


def _pyproject(project: Project) -> tuple[Table, bytes, str]:
    """The project's own manifest, empty without one; its bytes and its path."""
    data = project.read("pyproject.toml") or b""
    path = str(project.lockfile.parent / "pyproject.toml")
    return load_toml(data, path), data, path


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
