"""Gems that are compiled from Rust: the lockfile of crates that lies in them.

A `.gem` is a plain tar of `metadata.gz`, the specification with its list of files, and
`data.tar.gz`, those files. Installing such a gem starts cargo, from `extconf.rb` (rb_sys) or
straight from RubyGems (3.3 and newer, an extension named `Cargo.toml`), and cargo fetches what
the gem's own Cargo.lock names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from vendorpack.formats._shared.archives.tarball import FILE, members, unpack
from vendorpack.formats.bundler.artifacts import Gem
from vendorpack.model import Blob, InnerLockfile, Warning
from vendorpack.room import Workshop

LOCKFILE: Final = "Cargo.lock"

_MANIFEST: Final = b"Cargo.toml"
_MAX_METADATA: Final = 64 << 20


def lockfiles_of(gem: Gem, blob: Blob, workshop: Workshop) -> Iterator[InnerLockfile | Warning]:
    """Every Cargo.lock of a gem, or a warning if it is a crate without one."""
    parts = {m.name: bytes(m.data) for m in members(workshop.read(blob), label=str(gem))}
    metadata = parts.get("metadata.gz", b"")
    # The specification lists the files: most gems are done with here.
    if _MANIFEST not in unpack(metadata, label=str(gem), max_size=_MAX_METADATA):
        return
    found = False
    for member in members(parts.get("data.tar.gz", b""), label=str(gem)):
        if member.type == FILE and member.name.rpartition("/")[2] == LOCKFILE:
            found = True
            path = "/".join(part for part in member.name.split("/") if part not in ("", "."))
            yield InnerLockfile(
                f"{gem.id.file_name.removesuffix('.gem')}/{path}", bytes(member.data)
            )
    if not found:
        yield Warning(
            f"{gem} is compiled with cargo and holds no {LOCKFILE}: cargo will look for its crates "
            "on the network; lock the variant for your platform, if there is one",
            gem.where,
        )
