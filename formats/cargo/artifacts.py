"""What this room downloads: crates of a registry, and commits of git repositories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.formats._shared.git.repository import commit_address, commit_integrity
from vendorpack.formats.cargo.sources import Registry
from vendorpack.model import Artifact, Lockfile
from vendorpack.redact import redact_url


class PackageId(NamedTuple):
    """What tells the packages of a lockfile apart."""

    name: str
    version: str
    source: str


class IndexLine(NamedTuple):
    """What a registry's index says of a release: JSON."""

    name: str
    version: str
    line: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Crate(Artifact):
    """A `.crate` file.

    registry: whose crate it is: the lockfile's source.
    looked_up_as: under whose name cargo looks for it: the same, or the project's own mirror.
    served_by: whom it is downloaded from: the same, or the user's mirror.
    registry_name: what the packing machine's configuration calls an alternative registry, as
        in `CARGO_REGISTRIES_<NAME>_INDEX`.
    downloads: the `dl` of `looked_up_as`'s config.json; empty until it is located.
    index_line: its line of the registry's index, where that was asked for; else the line is
        made from the crate's own Cargo.toml.
    compat: whether older cargos' folder names are filled too.
    git_index: whether the default registry's git index is made as well, for cargo up to 1.69.

    Where only the targets' crates are wanted:

    needs: what the lockfile says that it depends on.
    is_asked_for: whether the project itself does, or what of it is not in a registry.
    beside: lines of the same registry's index, of crates that no target needs: cargo reads them
        all the same.
    """

    registry: Registry
    looked_up_as: Registry
    served_by: Registry
    registry_name: str | None = None
    downloads: str = ""
    index_line: bytes | None = None
    compat: bool = False
    git_index: bool = False
    needs: tuple[PackageId, ...] = ()
    is_asked_for: bool = False
    beside: tuple[IndexLine, ...] = ()

    @property
    def package(self) -> PackageId:
        """What the lockfile calls it."""
        return PackageId(self.name, self.version, self.registry.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit(Artifact):
    """A commit of the git repository at `repository`, an address as the lockfile has it."""

    repository: str
    compat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CargoLock(Lockfile):
    """A lockfile with the tokens of registries whose index is a git repository.

    Cargo shows them to no git server, only to downloads that the registry asks them for.
    """

    tokens: Mapping[Registry, str] = field(default_factory=dict, repr=False)


def crate_purl(name: str, version: str, registry: Registry) -> str:
    """The package URL; the default registry is the type's own."""
    purl = f"pkg:cargo/{name}@{quote(version, safe='')}"
    if registry.is_crates_io:
        return purl
    return f"{purl}?repository_url={quote(redact_url(registry.source), safe='')}"


def download_url(template: str, name: str, version: str, checksum: str) -> str:
    """A crate's address by the `dl` of its registry's config.json."""
    values = {
        "{crate}": name,
        "{version}": version,
        "{prefix}": index_prefix(name),
        "{lowerprefix}": index_prefix(name.lower()),
        "{sha256-checksum}": checksum,
    }
    if not any(marker in template for marker in values):
        template = template.removesuffix("/") + "/{crate}/{version}/download"
    for marker, value in values.items():
        template = template.replace(marker, value)
    return template


def index_prefix(name: str) -> str:
    """The folders of an index that a crate's file lies in: `1`, `2`, `3/a` or `ab/cd`."""
    if len(name) <= 2:
        return str(len(name))
    if len(name) == 3:
        return f"3/{name[0]}"
    return f"{name[:2]}/{name[2:4]}"


def index_path(name: str) -> str:
    """The path of a crate's file in an index."""
    lower = name.lower()
    return f"{index_prefix(lower)}/{lower}"


def commit_artifact(
    repository: str, commit: str, ref: str | None, *, where: str, compat: bool
) -> Commit:
    """The artifact of one commit. Raises `UnsupportedError` for an abbreviated id."""
    name = urlsplit(repository).path.rstrip("/").rpartition("/")[2].removesuffix(".git")
    name = name or "repository"
    origin = f"git+{redact_url(repository)}@{commit}"
    return Commit(
        name=name,
        version=commit,
        purl=f"pkg:generic/{quote(name, safe='')}@{commit}?vcs_url={quote(origin, safe='')}",
        url=commit_address(repository, commit, ref),
        integrity=commit_integrity(commit, where),
        where=where,
        repository=repository,
        compat=compat,
    )
