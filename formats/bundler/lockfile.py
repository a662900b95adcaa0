"""`Gemfile.lock` (or `gems.locked`), as text: what it pins, line by line.

::

    GEM                                       a source of gems; several such sections may follow
      remote: https://registry.example/       several: a lock of Bundler 1, each may have any gem
      specs:
        nokogiri (1.19.4-x86_64-linux-gnu)    name, version and, unless it is `ruby`, platform
          racc (~> 1.4)                       what it needs: not followed, all of it is listed
    GIT                                       a commit, and the gems in it
      remote: https://git.example/a.git
      revision: <40 hex digits>
      branch: main                            or ref or tag; submodules, glob
      specs:
        a (1.0)
    PATH                                      gems of the project itself: nothing to download
    PLATFORMS, DEPENDENCIES, RUBY VERSION, BUNDLED WITH
    CHECKSUMS                                 since Bundler 2.5, where they were asked for
      racc (1.8.1) sha256=<64 hex digits>     several are parted by commas; there may be none

Read as `Bundler::LockfileParser` (2.7) does, but what it would pass over in silence is refused.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import field
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.digest import SIZES, Digest, DigestError, Integrity
from vendorpack.errors import LockfileError, UnsupportedError

RUBY: Final = "ruby"
"""The platform of a gem that has no other: pure Ruby, or to be compiled where it is installed."""

_SOURCES: Final = ("GEM", "GIT", "PATH")
_PLUGIN: Final = "PLUGIN SOURCE"
_CHECKSUMS: Final = "CHECKSUMS"
_DEPENDENCIES: Final = "DEPENDENCIES"
_BUNDLED_WITH: Final = "BUNDLED WITH"
_KNOWN: Final = (
    *(*_SOURCES, _PLUGIN, _CHECKSUMS),
    *("PLATFORMS", _DEPENDENCIES, "RUBY VERSION", _BUNDLED_WITH),
)
_CONFLICT: Final = re.compile(r"<<<<<<<|=======|>>>>>>>|\|\|\|\|\|\|\|")
_OPTION: Final = re.compile(r"  ([a-z_]+):(?: (.*))?", re.ASCII)
_FULL_NAME: Final = (
    r"([A-Za-z0-9_][A-Za-z0-9._-]*) \(([0-9][0-9A-Za-z.]*)(?:-([A-Za-z0-9][A-Za-z0-9._-]*))?\)!?"
)
_SPEC: Final = re.compile(f"    {_FULL_NAME}", re.ASCII)
_CHECKSUM: Final = re.compile(f"  {_FULL_NAME}(?: (.*))?", re.ASCII)
_VERSION: Final = re.compile(r"[0-9][0-9A-Za-z.]*", re.ASCII)
_NEEDED: Final = "      "
_URL_SAFE_BASE64: Final = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True, order=True)
class GemId:
    """What a gem file is named after."""

    name: str
    version: str
    platform: str

    @property
    def full_version(self) -> str:
        """Version and, unless it is `ruby`, platform, as lockfiles and indexes write it."""
        return self.version if self.platform == RUBY else f"{self.version}-{self.platform}"

    @property
    def file_name(self) -> str:
        """The name of the `.gem` file."""
        return f"{self.name}-{self.full_version}.gem"


@dataclass(frozen=True, slots=True)
class LockedGem:
    """A gem of a registry. `remotes` are the addresses as they are written, in order.

    needs: names of the gems that this variant of it depends on.
    """

    id: GemId
    remotes: tuple[str, ...]
    integrity: Integrity
    line: int
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LockedCommit:
    """A commit of a git repository. `ref` is where it was found: a full ref's name, if known.

    gems: names of those in it. needs: of the gems that these depend on.
    """

    remote: str
    revision: str
    ref: str | None
    submodules: bool
    line: int
    gems: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lock:
    """All that is to be downloaded, in the lockfile's order.

    unknown: sections that this module does not know, with their lines.
    bundled_with: the Bundler that wrote it; its `remotes` are empty.
    direct: names of the gems that the Gemfile asks for, and that gems of paths need.
    """

    gems: tuple[LockedGem, ...]
    commits: tuple[LockedCommit, ...]
    unknown: tuple[tuple[str, int], ...]
    direct: frozenset[str] = frozenset()
    bundled_with: LockedGem | None = None

    @property
    def wanted(self) -> frozenset[str]:
        """Names of the gems that the Gemfile asks for, and that gems of git and paths need."""
        return self.direct.union(name for commit in self.commits for name in commit.needs)


@dataclass(slots=True)
class _Source:
    kind: str
    line: int
    options: dict[str, list[str]] = field(default_factory=dict)
    gems: list[tuple[GemId, int]] = field(default_factory=list)
    needs: dict[GemId, list[str]] = field(default_factory=dict)


def read_lock(data: bytes, path: str) -> Lock:
    """Read a lockfile; `path` is for errors. Raises `LockfileError`, `UnsupportedError`."""
    sources: list[_Source] = []
    checksums: dict[GemId, Integrity] = {}
    unknown: list[tuple[str, int]] = []
    sections: list[str] = []
    wanted: set[str] = set()
    bundled_with: tuple[GemId, int] | None = None
    for number, line in _lines(data, path):
        where = f"{path}:{number}"
        if not line.startswith(" "):
            sections.append(line)
            if line in _SOURCES:
                sources.append(_Source(line, number))
            elif line == _PLUGIN:
                raise UnsupportedError(
                    "the lockfile takes gems from a source that a Bundler plugin serves",
                    where=where,
                    fix="Only that plugin knows how to fetch them: take them from a gem server "
                    "or from git.",
                )
            elif line not in _KNOWN:
                unknown.append((line, number))
        elif not sections:
            raise LockfileError("a line before the first section", where=where)
        elif sections[-1] in _SOURCES:
            _read_source_line(sources[-1], line, number, where)
        elif sections[-1] == _DEPENDENCIES:
            wanted.add(_name_in(line))
        elif sections[-1] == _BUNDLED_WITH and _VERSION.fullmatch(line.strip()):
            bundled_with = GemId("bundler", line.strip(), RUBY), number
        elif sections[-1] == _CHECKSUMS:
            _read_checksum_line(checksums, line, where)
    if not set(_KNOWN).intersection(sections):
        raise LockfileError("this is not a Gemfile.lock: it has none of its sections", where=path)
    return Lock(
        gems=tuple(_gems(sources, checksums, path)),
        commits=tuple(_commit(source, path) for source in sources if source.kind == "GIT"),
        unknown=tuple(unknown),
        direct=frozenset(wanted).union(
            name for source in sources if source.kind == "PATH" for name in _needs(source)
        ),
        bundled_with=None
        if bundled_with is None
        else LockedGem(
            bundled_with[0], (), checksums.get(bundled_with[0], Integrity()), bundled_with[1]
        ),
    )


def sha256_of(text: str) -> Digest:
    """Read a sha256 as lockfiles and indexes may write it: hex, or base64 of either alphabet.

    Raises `DigestError`.
    """
    if len(text) == 2 * SIZES["sha256"]:
        return Digest.from_hex("sha256", text)
    try:
        padded = text.rstrip("=").translate(_URL_SAFE_BASE64) + "="
        return Digest("sha256", binascii.a2b_base64(padded, strict_mode=True))
    except ValueError:
        raise DigestError(f"not a sha256 digest: {text!r}") from None


def _lines(data: bytes, path: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, by number."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise LockfileError("the lockfile is not UTF-8", where=f"{path}:{number}") from None
    if text.startswith("\ufeff"):
        raise LockfileError(
            "the lockfile begins with a byte order mark, which Bundler takes for text",
            where=f"{path}:1",
            fix="Save it as UTF-8 without one.",
        )
    for number, line in enumerate(text.split("\n"), 1):
        if _CONFLICT.match(line):
            raise LockfileError(
                "the lockfile has merge conflicts",
                where=f"{path}:{number}",
                fix="Resolve them and run `bundle lock`.",
            )
        if line.strip():
            yield number, line.rstrip(" \r")


def _read_source_line(source: _Source, line: str, number: int, where: str) -> None:
    if line.startswith(_NEEDED):
        if source.gems:
            source.needs.setdefault(source.gems[-1][0], []).append(_name_in(line))
        return
    if match := _SPEC.fullmatch(line):
        source.gems.append((_gem_id(match), number))
    elif match := _OPTION.fullmatch(line):
        source.options.setdefault(match[1], []).append(match[2] or "")
    else:
        raise LockfileError("a line that is neither an option nor a gem", where=where)


def _name_in(line: str) -> str:
    """The gem that a line of DEPENDENCIES, or below a gem, names."""
    return line.split(maxsplit=1)[0].removesuffix("!")


def _read_checksum_line(checksums: dict[GemId, Integrity], line: str, where: str) -> None:
    match = _CHECKSUM.fullmatch(line)
    if match is None:
        raise LockfileError("a line that is no checksum of a gem", where=where)
    gem = _gem_id(match)
    found = {d.algorithm: d for d in checksums.get(gem, Integrity()).digests}
    for item in (match[4] or "").split(","):
        algorithm, equals, value = item.strip().partition("=")
        if not equals or algorithm not in SIZES:
            continue  # a kind that only a newer Bundler knows proves nothing to us
        try:
            digest = (
                sha256_of(value) if algorithm == "sha256" else Digest.from_hex(algorithm, value)
            )
        except DigestError as error:
            raise LockfileError(f"a checksum that cannot be read: {error}", where=where) from None
        if found.setdefault(algorithm, digest) != digest:
            raise LockfileError(
                f"two {algorithm} checksums for {gem.name} {gem.full_version}",
                where=where,
                fix="Run `bundle lock --add-checksums` to have it written anew.",
            )
    checksums[gem] = Integrity.of(found.values())


def _gem_id(match: re.Match[str]) -> GemId:
    return GemId(match[1], match[2], match[3] or RUBY)


def _gems(
    sources: list[_Source], checksums: dict[GemId, Integrity], path: str
) -> Iterator[LockedGem]:
    for source in sources:
        if source.kind != "GEM":
            continue
        remotes = tuple(dict.fromkeys(source.options.get("remote", ())))
        if source.gems and not all(remotes):
            raise LockfileError("an empty address", where=f"{path}:{source.line}")
        if source.gems and not remotes:
            raise LockfileError("gems without a source", where=f"{path}:{source.line}")
        for gem, line in dict(source.gems).items():
            needs = tuple(source.needs.get(gem, ()))
            yield LockedGem(gem, remotes, checksums.get(gem, Integrity()), line, needs)


def _needs(source: _Source) -> Iterator[str]:
    return (name for names in source.needs.values() for name in names)


def _commit(source: _Source, path: str) -> LockedCommit:
    values = {key: found[-1] for key, found in source.options.items()}
    where = f"{path}:{source.line}"
    remote, revision = values.get("remote"), values.get("revision")
    if not remote or not revision:
        raise LockfileError("a git source without remote and revision", where=where)
    if "branch" in values:
        ref = f"refs/heads/{values['branch']}"
    elif "tag" in values:
        ref = f"refs/tags/{values['tag']}"
    else:
        ref = values.get("ref", "HEAD")
    return LockedCommit(
        remote=remote,
        revision=revision,
        ref=ref if ref.startswith("refs/") or ref == "HEAD" else None,
        submodules=values.get("submodules") == "true",
        line=source.line,
        gems=tuple(dict.fromkeys(gem.name for gem, _ in source.gems)),
        needs=tuple(dict.fromkeys(_needs(source))),
    )
