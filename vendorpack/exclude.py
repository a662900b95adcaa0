"""Leaving packages out by name: what a user does not want, or cannot get.

A lockfile may pin what nobody installs: a paid gem of an optional group, a go.sum line of a module
that is gone, a release that was taken back. What is left out is said, is in the key and in the
manifest (among the options), and is for the user to answer for: the client may ask for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vendorpack.errors import UsageError
from vendorpack.model import Artifact, Lockfile
from vendorpack.policy import named


def without(lockfile: Lockfile, patterns: Sequence[str]) -> tuple[Lockfile, tuple[Artifact, ...]]:
    """The lockfile without what the patterns name, and what that is."""
    if not patterns:
        return lockfile, ()
    out = tuple(a for a in lockfile.artifacts if named(patterns, a.name, a.version))
    kept = (a for a in lockfile.artifacts if not named(patterns, a.name, a.version))
    return lockfile.with_artifacts(kept), out


def check_known(patterns: Sequence[str], left_out: Iterable[Artifact]) -> None:
    """Refuse a pattern that names nothing. Raises `UsageError`."""
    out = list(left_out)
    unknown = [p for p in patterns if not any(named((p,), a.name, a.version) for a in out)]
    if unknown:
        raise UsageError(
            f"--exclude names what no lockfile here has: {', '.join(unknown)}",
            fix="`vendorpack pack --dry-run` lists the names and versions; write NAME or "
            "NAME@VERSION.",
        )
