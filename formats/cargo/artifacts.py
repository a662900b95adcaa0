"""What this room downloads: crates of a registry, and commits of git repositories."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from vendorpack.formats._shared.git.repository import commit_address, commit_integrity
from vendorpack.formats.cargo.sources import Registry
from vendorpack.model import Artifact
from vendorpack.redact import redact_url


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
    """

    registry: Registry
    looked_up_as: Registry
    served_by: Registry
    registry_name: str | None = None
    downloads: str = ""
    index_line: bytes | None = None
    compat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit(Artifact):
    """A commit of the git repository at `repository`, an address as the lockfile has it."""

    repository: str
    compat: bool = False


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
