"""What installs of JavaScript clients need of their machine."""

from __future__ import annotations

from collections.abc import Iterator

from vendorpack.demands import Client, Demand, Trap

_NO_DOWNLOAD = (("COREPACK_ENABLE_NETWORK", "0"),)
"""A client may be corepack's stand-in for it, which would get the real one first."""


def client(
    name: str, ranges: tuple[tuple[str, str], ...] = (), *, why: str = "", seen: str, otherwise: str
) -> Client:
    """A client that corepack may stand in for."""
    return Client((name,), ranges, why, seen, otherwise, environ=_NO_DOWNLOAD)


def node() -> Client:
    """What all of them run on, and what their packages are for."""
    return Client(("node",), otherwise="Install Node.js, in the version that the project is for.")


def spelled_otherwise(*names: str) -> Iterator[Demand]:
    """Variables that npm and pnpm take for ours: they fold the case, and the last one counts."""
    for name in names:
        yield Trap(
            "",
            ".",
            f"it is {name.lower()} in other letters, and may be the one that counts",
            f"unset {name}",
            name=name,
        )
