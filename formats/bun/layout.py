"""Bun's cache: one folder a package, with the package's files in it.

::

    bun/cache/
      <name>@<1.2.3>@@@1/…                        of the default registry
      @<scope>/<name>@<1.2.3>@@@1/…
      <name>@<1.2.3>-<16 hex>@@@1/…               a prerelease: wyhash of what follows the "-"
      <name>@<1.2.3>+<16 HEX>@@@1/…               build metadata, in upper case
      @<scope>/<name>@<1.2.3>@@<host>@@@1/…       of a scope's own registry
      @<scope>/<name>@<1.2.3>@@<host>__<16 hex>@@@1/…
                                                  the same for Bun 1.4 if its address has a path
                                                  or a port, for all if the host is long
      @T@<16 hex>@@@1/…                           a tarball's address: Bun 1.1 to 1.3, and 1.4
                                                  where the lockfile has no integrity
      @T@sha512-<32 hex>@@@1/…                    the same for Bun 1.4: start of its integrity
      @GH@<owner>-<repository>-<commit>@@@1/…     GitHub, by Bun's own tarball
      @G@<commit>/…                               git, with the commit's id in `.bun-tag`

An archive's first path component is cut and only its files count. One tree serves Bun 1.1 to 1.4,
installed with the network cut off. Bun checks nothing of what lies here: this bundle's hashes
are the only guard. The names of `patchedDependencies` are derived from the rest and left to Bun,
and so are its manifests (`<hash>.npm`) and links: no install needs them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from vendorpack.formats._shared.git.checkout import checked_out
from vendorpack.formats._shared.git.pack import read_pack
from vendorpack.formats._shared.git.repository import commit_of
from vendorpack.formats._shared.npm.package import PACKAGE, check_path, entry_mode
from vendorpack.formats.bun.artifacts import BunArtifact
from vendorpack.model import Entry, Packed, Slice
from vendorpack.room import Workshop

ROOT: Final = "bun/cache"

_TAG: Final = ".bun-tag"


def layout(packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    """The cache's entries, package by package."""
    for one, files in zip(
        packed, workshop.map(lambda one: _files(one, workshop), packed), strict=True
    ):
        artifact = one.artifact
        assert isinstance(artifact, BunArtifact)
        for folder in artifact.folders:
            for path, (mode, data) in sorted(files.items()):
                yield Entry(f"{ROOT}/{folder}/{path}", data, mode, artifact)


def _files(packed: Packed, workshop: Workshop) -> dict[str, tuple[int, bytes | Slice]]:
    """Path below a package's folder to its mode and content."""
    artifact = packed.artifact
    assert isinstance(artifact, BunArtifact)
    if not artifact.tag:
        opened = PACKAGE.open(packed.blob, workshop, str(artifact))
        return {row.path: (entry_mode(row.mode), opened.slice(row)) for row in opened.rows}
    with workshop.open(packed.blob) as file:
        pack = read_pack(file, len(commit_of(artifact)))
        found: dict[str, tuple[int, bytes | Slice]] = {}
        for item in checked_out(pack, file):
            if not item.is_link:
                check_path(item.path, str(artifact))
                found[item.path] = (0o755 if item.is_executable else 0o644, bytes(item.data))
    return {**found, _TAG: (0o644, artifact.tag.encode())}
