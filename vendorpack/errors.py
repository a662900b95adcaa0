"""Every error vendorpack raises on purpose, with one exit code a class.

::

    VendorpackError
    ├── UsageError         2   the command line asks for something that cannot be
    ├── DiscoveryError     3   no lockfile here, or more than one that could be meant
    ├── LockfileError      4   a lockfile cannot be read: syntax, version, nonsense
    ├── UnsupportedError   5   a dependency that no offline install can be served with
    ├── PolicyError        6   a host, scheme or (missing, weak) hash that is not allowed
    ├── FetchError         7   the network: refused, timed out, not found, cut short
    ├── IntegrityError     8   bytes that are not the ones the lockfile pins
    ├── StoreError         9   this machine: no space, no permission, no memory
    │   └── BlobLost       9   a stored blob is gone or damaged; it can be fetched again
    ├── BundleError       10   not a bundle, or a damaged one
    ├── KeyMismatchError  11   a good bundle, made for another lockfile
    ├── TargetError       12   the folder to unpack into is in the way
    ├── SignatureError    13   a signature that is missing, wrong, or nobody's who may sign
    ├── ReachedOutError   14   a rehearsal in which a command reached for what is not there
    ├── UnprovenError     15   what a lockfile pins, and nothing here can compare with it
    ├── LicenseError      16   an artifact under a licence that is not permitted
    ├── UnfitError        17   a machine on which an install from a bundle would fail
    └── FleetError        18   bundles of a fleet that were not packed, while others were

Exit code 1 is a defect in vendorpack itself, 130 an interrupt (Ctrl-C, SIGTERM).

An error says what, where and what to do, in three fields of text that
`vendorpack.console` prints on a line each, escaped. None of the three may hold a secret:
URLs go through `vendorpack.redact` first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias


class VendorpackError(Exception):
    """What went wrong, where (file:line, artifact, URL) and what to do about it."""

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.where, self.fix) if part)


Faults: TypeAlias = "list[VendorpackError]"
"""Takes what is wrong with some of many things, where the others are to be done all the same."""


@contextmanager
def kept_in(faults: Faults | None) -> Iterator[None]:
    """Keep an error there, if there is such a list; else it is raised."""
    try:
        yield
    except VendorpackError as error:
        if faults is None:
            raise
        faults.append(error)


class UsageError(VendorpackError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class DiscoveryError(VendorpackError):
    """No lockfile here, or more than one that could be meant."""

    exit_code = 3


class LockfileError(VendorpackError):
    """A lockfile cannot be read: syntax, version, or a value that makes no sense."""

    exit_code = 4


class UnsupportedError(VendorpackError):
    """A dependency that no offline install can be served with."""

    exit_code = 5


class PolicyError(VendorpackError):
    """A host, scheme or hash that the policy does not allow."""

    exit_code = 6


class FetchError(VendorpackError):
    """A download failed. `status` is the HTTP status, if there was an answer at all."""

    exit_code = 7

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        fix: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status = status


class IntegrityError(VendorpackError):
    """Bytes that are not the ones that were pinned."""

    exit_code = 8


class StoreError(VendorpackError):
    """The system refused: no space, no permission, not a folder, no memory."""

    exit_code = 9


class BlobLost(StoreError):
    """A blob of the store is gone or damaged. Whoever asked may fetch it again."""

    def __init__(self, sha256: str, what: str, *, where: str | None = None) -> None:
        super().__init__(what, where=where, fix="Run the command again to fetch it anew.")
        self.sha256 = sha256


class BundleError(VendorpackError):
    """Not a bundle, a damaged one, or one of a newer format."""

    exit_code = 10


class KeyMismatchError(VendorpackError):
    """A good bundle, but made for another lockfile or other options."""

    exit_code = 11


class TargetError(VendorpackError):
    """The folder to unpack into cannot be used, or holds something else."""

    exit_code = 12


class SignatureError(VendorpackError):
    """A signature is missing, is not of this bundle, or not by an allowed signer."""

    exit_code = 13


class ReachedOutError(VendorpackError):
    """A command that ran without a network reached for something all the same."""

    exit_code = 14


class UnprovenError(VendorpackError):
    """What a lockfile pins lies in a bundle in a form that nothing here can compare with it."""

    exit_code = 15


class LicenseError(VendorpackError):
    """An artifact declares a licence that was denied, or none that was allowed."""

    exit_code = 16


class UnfitError(VendorpackError):
    """An install from a bundle would fail on this machine."""

    exit_code = 17


class FleetError(VendorpackError):
    """Some bundles of a fleet were not packed."""

    exit_code = 18
