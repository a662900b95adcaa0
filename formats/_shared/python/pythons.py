"""Which Python a target has that names none: the one that the project asks for.

A lock says which versions it was made for, `.python-version` beside it which one is used. Both are
read as text and searched, not parsed: the key has to be quick.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from packaging.specifiers import SpecifierSet

from vendorpack.dataclass import dataclass
from vendorpack.errors import UsageError
from vendorpack.formats._shared.python.markers import LAST_PATCH, RUNTIME, python_minor
from vendorpack.model import Options, Target, Warning
from vendorpack.project import Project
from vendorpack.target import this_python

VERSION_FILE: Final = ".python-version"

_NAMED: Final = re.compile(
    r"(?m)^\s*(?:cpython[-@]|python)?(3\.\d+)(?:\.\d+)?(t|\+freethreaded)?\s*$"
)
_MINORS: Final = range(6, 31)
_PATCHES: Final = (*range(40), LAST_PATCH)
_ONE: Final = re.compile(r"(\^|~(?!=)|[<>=!]=?=?|~=)?\s*v?(\d+(?:\.\d+)*(?:\.\*)?|\*)")


@dataclass(frozen=True, slots=True)
class AskedPython:
    """What a project says of its Python.

    alternatives: a version fits if one of them holds; none: every version does.
    text: as it is written. where: the file that says it.
    named: the version in `.python-version`, such as `3.12` or `3.14t`.
    is_advice: whether the client installs with another one too, and only warns.
    """

    alternatives: tuple[SpecifierSet, ...] = ()
    text: str = ""
    where: str = ""
    named: str = ""
    is_advice: bool = False

    def fits(self, minor: int) -> bool:
        """Whether some release of Python 3.`minor` is asked for."""
        return not self.alternatives or any(
            specifiers.contains(f"3.{minor}.{patch}", prereleases=True)
            for specifiers in self.alternatives
            for patch in _PATCHES
        )

    @property
    def chosen(self) -> str:
        """That of `.python-version` if it fits, else the one that runs here, else the oldest."""
        here = this_python()[1]
        for version in (self.named, here):
            if version and self.fits(_minor(version)):
                return version
        return next((f"3.{minor}" for minor in _MINORS if self.fits(minor)), here)


def asked_python(
    project: Project, pattern: re.Pattern[bytes] | None, *, is_advice: bool = False
) -> AskedPython:
    """Search the lockfile.

    pattern: its group is what the lock says, in any client's way; where it says several things,
        each is allowed.
    """
    beside = project.read(VERSION_FILE)
    version = _NAMED.search(beside.decode("utf-8", "replace")) if beside else None
    named = f"{version[1]}{'t' if version[2] else ''}" if version else ""
    said = pattern.findall(project.lock_bytes()) if pattern is not None else []
    if not said:
        return AskedPython(named=named)
    text = b" || ".join(dict.fromkeys(said)).decode("utf-8", "replace")
    return AskedPython(alternatives_of(text), text, project.where(), named, is_advice)


def alternatives_of(text: str) -> tuple[SpecifierSet, ...]:
    """Read `>=3.9`, `^3.9`, `~3.9`, `3.9.*`, `*`, `<3.8 || >=3.10`.

    A bare version is a Pipfile's or Poetry's, and means that version. What makes no sense is
    passed over.
    """
    found = []
    for part in re.split(r"\|\|?", text):
        specifiers = SpecifierSet()
        for operator, version in _ONE.findall(part):
            specifiers &= _specifier(operator, version)
        found.append(specifiers)
    return tuple(found)


def _specifier(operator: str, version: str) -> SpecifierSet:
    if version == "*":
        return SpecifierSet()
    if operator in ("^", "~"):
        numbers = [int(part) for part in version.removesuffix(".*").split(".")]
        keep = 1 if operator == "^" or len(numbers) == 1 else 2
        above = [*numbers[: keep - 1], numbers[keep - 1] + 1]
        return SpecifierSet(f">={_dotted(numbers)},<{_dotted(above)}")
    if operator in ("", "=") and version.count(".") < 2:
        version += ".*"
    if operator in (">=", "<=", ">", "<", "~="):
        version = version.removesuffix(".*")
    try:
        return SpecifierSet(f"{'==' if operator in ('', '=') else operator}{version}")
    except ValueError:
        return SpecifierSet()


def with_pythons(options: Options, asked: AskedPython) -> Options:
    """The options, each target with the Python that the project asks for if it names none.

    Raises `UsageError` for a target whose Python the lock excludes.
    """
    for target in _contradicting(options.targets, asked):
        if not asked.is_advice:
            raise UsageError(
                f"the target {target} has a Python that the lockfile excludes: it asks for "
                f"{asked.text}",
                where=asked.where,
                fix=f"Name one that it allows, such as "
                f"{_with_python(replace(target, runtimes=()), asked.chosen)}.",
            )
    targets = dict.fromkeys(_with_python(target, asked.chosen) for target in options.targets)
    return replace(options, targets=tuple(targets))


def said_of_pythons(options: Options, asked: AskedPython, where: str) -> Iterator[Warning]:
    """A warning for each target that names no Python, and for one that the lock advises against.

    options: as the user gave them.
    """
    chosen = asked.chosen
    for target in options.targets:
        if target.runtime(RUNTIME) is None:
            why = "which runs here"
            if chosen == asked.named:
                why = f"which {VERSION_FILE} names"
            elif chosen != this_python()[1]:
                why = f"the oldest that {asked.text} allows"
            yield Warning(
                f"the target {target} names no Python; {chosen}, {why}, is taken "
                f"(write {target}-py{chosen})",
                where,
            )
    for target in _contradicting(options.targets, asked):
        yield Warning(
            f"the target {target} has another Python than the lockfile asks for: {asked.text}",
            asked.where,
        )


def _contradicting(targets: Sequence[Target], asked: AskedPython) -> Iterator[Target]:
    for target in targets:
        if target.runtime(RUNTIME) is not None and not asked.fits(python_minor(target)[1]):
            yield target


def _with_python(target: Target, version: str) -> Target:
    if target.runtime(RUNTIME) is not None:
        return target
    return replace(target, runtimes=tuple(sorted((*target.runtimes, (RUNTIME, version)))))


def _minor(version: str) -> int:
    return int(version.rstrip("t").split(".")[1])


def _dotted(numbers: Sequence[int]) -> str:
    return ".".join(map(str, numbers))
