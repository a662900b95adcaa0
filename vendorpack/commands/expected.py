"""What a bundle that is opened must be: whose key it has, who signed it, what lockfiles pin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vendorpack import signature
from vendorpack.bundle.manifest import Head, Manifest
from vendorpack.bundle.pieces import Pieces
from vendorpack.bundle.table import File
from vendorpack.console import Console
from vendorpack.dataclass import dataclass
from vendorpack.errors import KeyMismatchError, UnprovenError, UsageError
from vendorpack.files.pipes import STANDARD
from vendorpack.key import hash_lockfile
from vendorpack.model import Json
from vendorpack.progress import counted
from vendorpack.project import Host

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Expected:
    """What a bundle must have been made for, and by whom, if that was said.

    allow_unproven: whether artifacts may pass that the lockfiles pin and nothing here can compare.
    signers: a file of allowed signers. signer: the one of them that will do. signature: where it
    is, if not beside the bundle.
    """

    key: str | None = None
    lockfiles: tuple[Path, ...] = ()
    allow_unproven: bool = False
    signers: Path | None = None
    signer: str | None = None
    signature: Path | None = None

    def check(self, head: Head, bundle_id: str, path: Path) -> None:
        """Raise `KeyMismatchError` unless the bundle is for this key and these lockfiles.

        Raises `SignatureError` unless it is signed as it must be.
        """
        self._check_signature(bundle_id, path)
        self._check_key(head)

    def prove(
        self,
        manifest: Manifest,
        pieces: Pieces,
        console: Console,
        host: Host,
        held: Sequence[File] | None = None,
    ) -> dict[str, Json]:
        """Hold the content against the lockfiles' own hashes.

        held: the files that are at hand, if a delta's base is not. Returns what came of it, for
        machines. Raises `IntegrityError`, and `UnprovenError` for what can be neither compared nor
        is vouched for by whoever signed, unless that was allowed.
        """
        if not self.lockfiles:
            return {}
        from vendorpack import proof  # noqa: PLC0415 - imports all that packing does
        from vendorpack.store.local import Store, default_folder  # noqa: PLC0415
        from vendorpack.workshop import Shelf  # noqa: PLC0415

        folder = default_folder(host)
        shelf = Shelf(Store(folder)) if folder.is_dir() else None
        absent = frozenset[str]()
        if held is not None and len(held) < len(manifest.files):
            here = {file.path for file in held}
            absent = frozenset(file.path for file in manifest.files) - here
        found = proof.prove(manifest, pieces, self.lockfiles, shelf, host, absent)
        console.say(f"{counted(found.proven, 'artifact')} as the lockfile pins them")
        if found.opened or found.absent:
            self._unproven(found.opened, found.absent, console)
        for trust in sorted({trust for _, trust in found.unpinned}):
            names = [name for name, vouched in found.unpinned if vouched == trust]
            console.warn(
                f"{counted(len(names), 'artifact')} that the lockfile does not pin (the bundle "
                f"names who vouched: {trust}): {_some(names)}"
            )
        return {
            "lockfile": {
                "proven": found.proven,
                "not_compared": [*found.opened, *found.absent],
                "not_pinned": dict(found.unpinned),
            }
        }

    def _unproven(self, opened: Sequence[str], absent: Sequence[str], console: Console) -> None:
        """Say what could not be compared. Raises `UnprovenError` unless that may be."""
        names = [*opened, *absent]
        what = f"{counted(len(names), 'artifact')} could not be compared with the lockfile"
        if self.allow_unproven:
            console.warn(f"{what}: {_some(names)}")
            return
        if self.signers is not None:
            console.warn(f"{what}; whoever signed vouches for: {_some(names)}")
            return
        where, fix = [], "Take a signed bundle (--signers), or say --allow-unproven."
        if opened:
            where.append(
                f"opened in the bundle, and not in the local store as they came: {_some(opened)}"
            )
            fix = (
                "Pack the lockfile here, or ask on the machine that did: the store then has what "
                f"it takes. Without: {fix[0].lower()}{fix[1:]}"
            )
        if absent:
            where.append(f"in the delta's base: {_some(absent)}")
            fix = f"Unpack it with its base and the same --lockfile. {fix}"
        raise UnprovenError(what, where="\n".join(where), fix=fix)

    def _check_signature(self, bundle_id: str, path: Path) -> None:
        if self.signers is None:
            if self.signer is not None or self.signature is not None:
                raise UsageError(
                    "--signer and --signature need --signers",
                    fix="Name the file of allowed signers: --signers allowed_signers",
                )
            return
        if self.signature is None and path == STANDARD:
            raise UsageError("a bundle from standard input needs --signature FILE")
        found = self.signature or signature.beside(path)
        signature.check(bundle_id, found, self.signers, self.signer)

    def _check_key(self, head: Head) -> None:
        if self.key is not None and self.key != head.key:
            raise KeyMismatchError(
                "the bundle was made for another lockfile, or with other options",
                where=f"expected key {self.key}\nbundle's key {head.key}",
                fix="Pack the current lockfile, or take the bundle that has this key.",
            )
        packed = {lock.sha256 for lock in head.lockfiles}
        for path in self.lockfiles:
            try:
                data = path.read_bytes()
            except OSError as error:
                raise UsageError(
                    f"cannot read the lockfile: {error.strerror}", where=str(path)
                ) from None
            if hash_lockfile(data) not in packed:
                raise KeyMismatchError(
                    "the bundle was not made for this lockfile",
                    where=f"{path}\nthe bundle has "
                    + ", ".join(f"{lock.path} ({lock.sha256[:12]}…)" for lock in head.lockfiles),
                    fix="Pack it again: the lockfile has changed since.",
                )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + ("…" if len(names) > _SHOWN else "")
