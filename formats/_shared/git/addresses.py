"""Which addresses of repositories we fetch from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vendorpack.errors import UnsupportedError
from vendorpack.redact import redact_url

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_SCHEMES: Final = ("https", "http", "ssh", "git")
_SHOWN: Final = 200


def check_address(name: str, url: str, parts: SplitResult, where: str) -> None:
    """Refuse what is not on a network, or has more of a login in it than ssh's user name.

    name: what comes from there; url: as it is locked, to be shown. Raises `UnsupportedError`.
    """
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise UnsupportedError(
            f"{name} comes from a repository that cannot be packed: {redact_url(url)[:_SHOWN]}",
            where=where,
            fix="Depend on it by its https or ssh address.",
        )
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        raise UnsupportedError(
            f"the address of {name} has a user name or a password in it",
            where=where,
            fix="Leave that to git's credential helper, and lock again.",
        )
