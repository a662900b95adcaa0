"""Signatures of bundles that come from elsewhere: from a registry, from a team's store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vendorpack import signature
from vendorpack.console import Console
from vendorpack.dataclass import dataclass
from vendorpack.errors import UsageError
from vendorpack.files.pipes import is_stream, write_small


@dataclass(frozen=True, slots=True)
class Trusted:
    """Who must have signed what is taken from elsewhere, if that matters.

    signers: a file of allowed signers; None: nobody. signer: the one of them that will do.
    """

    signers: Path | None = None
    signer: str | None = None

    def need(self, kept: Sequence[bytes], place: str) -> None:
        """Refuse a bundle of which a place keeps no signature. Raises `SignatureError`."""
        if self.signers is not None and not kept:
            signature.choose("", (), self.signers, self.signer, place)

    def choose(
        self, bundle_id: str, kept: Sequence[bytes], place: str, console: Console
    ) -> bytes | None:
        """The signature that goes with a bundle, of those that a place keeps.

        If signers are named, one of theirs; else the first that is one of this bundle. Raises
        `SignatureError`.
        """
        if self.signers is not None:
            return signature.choose(bundle_id, kept, self.signers, self.signer, place)
        sound = signature.sound(kept, bundle_id)
        if kept and len(sound) != 1:
            console.warn(
                f"{len(sound)} of {len(kept)} signatures are seen to be of this bundle"
                + (", and one is taken: name whose with --signers" if sound else ""),
                place,
            )
        return sound[0] if sound else None


def trusted(signers: Path | None, signer: str | None) -> Trusted:
    """As the command line names them. Raises `UsageError`."""
    if signers is None and signer is not None:
        raise UsageError(
            "--signer needs --signers",
            fix="Name the file of allowed signers: --signers allowed_signers",
        )
    return Trusted(signers, signer)


def keep_beside(bundle: Path | None, content: bytes | None, console: Console) -> str | None:
    """Write a signature beside its bundle; where it is. A stream has nothing beside it."""
    if content is None or bundle is None or is_stream(bundle):
        return None
    path = signature.beside(bundle)
    write_small(path, content)
    console.say(f"{path}: its signature")
    return str(path)
