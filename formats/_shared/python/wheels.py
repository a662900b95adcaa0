"""Which files of a release a target installs: the best wheels (PEP 425, 600, 656), or the sdist.

A client takes the wheel whose tag comes first in the interpreter's own list. That list depends
on something few targets tell: how old its C library (glibc) or macOS is. So for each target every
wheel is taken that is the best on some version between a floor and a ceiling: usually one, and
two where a project offers, say, manylinux_2_28 beside manylinux_2_34. Where even the lowest of them
is above the floor, the sdist is taken too. Whatever the target's version is, the file its client
would take is there. A target that names its version (`gnu2.36`) has that one only.

Tag lists are `packaging.tags`' with everything given, so that nothing of the machine we run on
gets in.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from vendorpack.dataclass import dataclass
from vendorpack.formats._shared.python.index import normalize
from vendorpack.formats._shared.python.markers import is_free_threaded, python_minor
from vendorpack.model import Target

T = TypeVar("T")

GLIBC_FLOOR: Final = 28
"""glibc 2.28: Debian 10, RHEL 8. Older ones are served where a wheel for them is the best, or if
the target names them."""
GLIBC_CEILING: Final = 45
MACOS_FLOOR: Final = 12
MACOS_CEILING: Final = 27
MUSL: Final = 2
"""musl 1.2: Alpine 3.13 and newer."""

SDIST_SUFFIXES: Final = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz", ".tar")
"""Archives that pip builds from source, the usual first."""

_LEGACY_MANYLINUX: Final = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_MAC_ARCHS: Final = {"aarch64": "arm64", "x86_64": "x86_64"}
_WINDOWS: Final = {"x86_64": "win_amd64", "i686": "win32", "aarch64": "win_arm64"}


@dataclass(frozen=True, slots=True)
class Binary:
    """pip's `--only-binary` and `--no-binary`: normalised names, or `:all:`."""

    only: frozenset[str] = frozenset()
    none: frozenset[str] = frozenset()

    def allows_wheels(self, name: str) -> bool:
        """Whether a wheel of the (normalised) name may be taken."""
        return not self._means(self.none, self.only, name)

    def allows_sdists(self, name: str) -> bool:
        """Whether an sdist of the (normalised) name may be taken."""
        return not self._means(self.only, self.none, name)

    @staticmethod
    def _means(these: frozenset[str], others: frozenset[str], name: str) -> bool:
        # A name said outright beats :all: of the other option.
        return name in these or (":all:" in these and name not in others)


EITHER: Final = Binary()
"""Wheels where there are any, else sdists."""


def is_wheel(filename: str) -> bool:
    """Whether a file name is a wheel's."""
    return filename.endswith(".whl")


def is_valid_wheel(filename: str) -> bool:
    """Whether it is also one that names a project, a version and tags."""
    return _wheel(filename) is not None


def is_sdist(filename: str) -> bool:
    """Whether a file name can be an sdist's."""
    return filename.endswith(SDIST_SUFFIXES)


def release_of(filename: str, name: str) -> Version | None:
    """The version in a wheel's or sdist's file name; None if it is not one of project `name`.

    `name` is normalised. Old sdists have dashes in their names, which only the name itself
    can tell from the one before the version.
    """
    if is_wheel(filename):
        project, _, rest = filename.partition("-")
        return _version(rest.partition("-")[0]) if normalize(project) == name else None
    suffix = next((s for s in SDIST_SUFFIXES if filename.endswith(s)), None)
    if suffix is None:
        return None
    stem = filename[: -len(suffix)]
    for at, char in enumerate(stem):
        if char == "-" and normalize(stem[:at]) == name:
            version = _version(stem[at + 1 :])
            if version is not None:
                return version
    return None


def best_wheels(filenames: Iterable[str], target: Target) -> tuple[str, ...]:
    """The wheels that a client on the target may take, that of the newest system first.

    Names that are no wheels', or of wheels for other platforms, are passed over.
    Raises `UsageError` if the target names no Python 3.
    """
    return _best(filenames, target)[0]


def has_to_build(filenames: Iterable[str], target: Target) -> bool:
    """Whether the target's system may be too old for all of the wheels."""
    return not _best(filenames, target)[1]


def oldest(target: Target) -> Target:
    """The target with the oldest system that it may have; it names that itself, or none does."""
    floor, ceiling = _versions(target)
    if target.release or floor == ceiling:
        return target
    return replace(target, release=f"2.{floor}" if target.os == "linux" else f"{floor}")


def _best(filenames: Iterable[str], target: Target) -> tuple[tuple[str, ...], bool]:
    """The best wheels, and whether there is one for every version that the system may have."""
    ranks = _ranks(target)
    fitting = [
        (filename, wheel[2], [ranks[tag] for tag in wheel[3] if tag in ranks])
        for filename in filenames
        if (wheel := _wheel(filename)) is not None
    ]
    chosen: dict[str, None] = {}
    floor, version = _versions(target)
    while version >= floor:
        # Rank, then the higher build number; the name settles what no client decides.
        best = max(
            (
                (-rank, build, filename, since)
                for filename, build, places in fitting
                for rank, since in places
                if since <= version
            ),
            default=None,
        )
        if best is None:
            break
        chosen[best[2]] = None
        version = best[3] - 1
    return tuple(chosen), version < floor


def choose(
    files: Sequence[T],
    targets: Sequence[Target],
    *,
    filename: Callable[[T], str],
    wheels: bool = True,
    sdists: bool = True,
) -> tuple[tuple[T, ...], tuple[Target, ...]]:
    """The files of one release that the targets install, and the targets that none is for.

    No targets means all files. A target takes its best wheels, and the sdist (`.tar.gz` before
    others) where its system may be too old for them. Files come in the order given, each once.
    `wheels`, `sdists`: whether that kind may be taken at all.
    """
    allowed = [
        file
        for file in files
        if (wheels and is_wheel(filename(file))) or (sdists and is_sdist(filename(file)))
    ]
    if not targets:
        return tuple(allowed), ()
    taken: set[str] = set()
    missing: list[Target] = []
    names = [filename(file) for file in allowed]
    source = min(filter(is_sdist, names), key=_sdist_order, default=None)
    for target in targets:
        best, complete = _best(names, target)
        taken.update(best)
        if not complete and source is not None:
            taken.add(source)
        elif not best:
            missing.append(target)
    return tuple(file for file in allowed if filename(file) in taken), tuple(missing)


@functools.lru_cache(maxsize=64)
def supported_tags(target: Target) -> tuple[Tag, ...]:
    """All tags that a target supports on its newest system, the best first."""
    return tuple(_ranks(target))


@functools.lru_cache(maxsize=64)
def _ranks(target: Target) -> Mapping[Tag, tuple[int, int]]:
    """Tag to its rank (0 is best) and the system version it needs (0: any)."""
    major, minor = python_minor(target)
    since = dict(_platforms(target))
    interpreter = f"cp{major}{minor}"
    abi = interpreter + ("t" if is_free_threaded(target) else "")
    tags = (
        *cpython_tags((major, minor), [abi], since),
        *compatible_tags((major, minor), interpreter, since),
    )
    ranks: dict[Tag, tuple[int, int]] = {}
    for rank, tag in enumerate(tags):
        ranks.setdefault(tag, (rank, since.get(tag.platform, 0)))
    return ranks


def _versions(target: Target) -> tuple[int, int]:
    """Floor and ceiling of the system version that tags speak of."""
    if target.release:
        major, _, minor = target.release.partition(".")
        number = int(major) if target.os == "macos" else int(minor)
        return number, number
    if target.os == "linux":
        return (MUSL, MUSL) if target.libc == "musl" else (GLIBC_FLOOR, GLIBC_CEILING)
    return (MACOS_FLOOR, MACOS_CEILING) if target.os == "macos" else (0, 0)


def _platforms(target: Target) -> Iterator[tuple[str, int]]:
    """Platform tags, the best first, and the version of glibc 2, musl 1 or macOS they need."""
    cpu = target.cpu
    _, newest = _versions(target)
    if target.os == "linux" and target.libc == "musl":
        yield f"linux_{cpu}", 0
        for minor in range(newest, -1, -1):
            yield f"musllinux_1_{minor}_{cpu}", minor
    elif target.os == "linux":
        oldest = 5 if cpu in ("x86_64", "i686") else 17
        yield f"linux_{cpu}", 0
        for minor in range(newest, oldest - 1, -1):
            yield f"manylinux_2_{minor}_{cpu}", minor
            if minor in _LEGACY_MANYLINUX:
                yield f"{_LEGACY_MANYLINUX[minor]}_{cpu}", minor
    elif target.os == "macos" and cpu in _MAC_ARCHS:
        for platform in mac_platforms((newest, 0), _MAC_ARCHS[cpu]):
            yield platform, int(platform.split("_")[1])
    elif target.os == "windows" and cpu in _WINDOWS:
        yield _WINDOWS[cpu], 0
    else:
        # No index has wheels for it but the pure ones; a list must not be empty, or the
        # machine we run on would fill it.
        yield f"{target.os}_{cpu}", 0


@functools.lru_cache(maxsize=1 << 16)
def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except ValueError:  # also of numbers beyond measure
        return None


@functools.lru_cache(maxsize=1 << 16)
def _wheel(filename: str) -> tuple[str, Version, tuple[int, str], frozenset[Tag]] | None:
    try:
        name, version, build, tags = parse_wheel_filename(filename)
    except ValueError:  # also of numbers beyond measure
        return None
    return name, version, build or (0, ""), tags


def _sdist_order(filename: str) -> tuple[int, str]:
    suffix = next(s for s in SDIST_SUFFIXES if filename.endswith(s))
    return SDIST_SUFFIXES.index(suffix), filename
