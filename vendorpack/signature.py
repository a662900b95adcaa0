"""Signatures of bundles: `ssh-keygen -Y` over the id, in a file beside the bundle.

What is signed is the bundle's id and a line feed, in the namespace `vendorpack`. The id stands for
every byte of the tree, so a signature holds for the bundle, for the same compressed by another
zstd, for the plain tar, the image and the folder that it was unpacked to. Keys, agents, FIDO
tokens, certificates and the file of allowed signers are OpenSSH's own (8.2 or newer), and without
us it is::

    vendorpack show --json deps.tar.zst | jq -r .id |
        ssh-keygen -Y verify -f allowed_signers -I NAME -n vendorpack -s deps.tar.zst.sig
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vendorpack.errors import SignatureError

NAMESPACE: Final = "vendorpack"
SUFFIX: Final = ".sig"
MAX_SIZE: Final = 64 << 10
"""Bytes of a signature; one by a certificate has a few thousand."""
MAX_SIGNATURES: Final = 64
"""How many that a place keeps of one bundle are looked at."""

_START: Final = b"-----BEGIN SSH SIGNATURE-----"


def beside(bundle: Path) -> Path:
    """Where a bundle's signature is."""
    return bundle.with_name(bundle.name + SUFFIX)


def sign(bundle_id: str, key: Path) -> bytes:
    """The signature of an id, by a key or, if it is a public one, by the agent that has it.

    ssh-keygen may ask on the terminal for a password, or for a touch. Raises `SignatureError`.
    """
    done = _ssh_keygen(["-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE], _message(bundle_id))
    if done.returncode != 0 or not done.stdout.startswith(_START):
        raise SignatureError(
            "ssh-keygen cannot sign",
            where=_said(done) or str(key),
            fix="Name a private key, or a public one whose private key is in the ssh-agent.",
        )
    return done.stdout


def check(bundle_id: str, signature: Path, signers: Path, signer: str | None = None) -> str:
    """Who signed an id: a name of the file of allowed signers. Raises `SignatureError`.

    signer: the only name that will do; else any in the file.
    """
    if not signers.is_file():
        raise SignatureError("there is no file of allowed signers", where=str(signers))
    _look(signature)
    names = [signer] if signer is not None else _names(signature, signers)
    for name in names:
        arguments = ["-Y", "verify", "-f", str(signers), "-I", name, "-n", NAMESPACE]
        done = _ssh_keygen([*arguments, "-s", str(signature)], _message(bundle_id))
        if done.returncode == 0:
            return name
    raise SignatureError(
        "the signature is not one of this bundle by an allowed signer"
        if signer is None
        else f"the signature is not one of this bundle by {signer!r}",
        where=f"{signature}\n{signers}\nbundle's id {bundle_id}",
        fix="Do not use the bundle, unless you know why: it may be another than was signed.",
    )


def choose(
    bundle_id: str, signatures: Sequence[bytes], signers: Path, signer: str | None, place: str
) -> bytes:
    """Of the signatures that a place keeps, the first by an allowed signer.

    place: where they come from, for the error. Raises `SignatureError`.
    """
    failure: SignatureError | None = None
    if not signers.is_file():
        raise SignatureError("there is no file of allowed signers", where=str(signers))
    with tempfile.TemporaryDirectory(prefix="vendorpack-") as folder:
        path = Path(folder, "signature")
        for content in signatures:
            path.write_bytes(content)
            try:
                check(bundle_id, path, signers, signer)
            except SignatureError as error:
                failure = error
                continue
            return content
    if failure is None:
        raise SignatureError(
            "the bundle has no signature there",
            where=place,
            fix="Whoever made it can sign it (vendorpack sign) and put it there again.",
        )
    if len(signatures) > 1:
        failure.what = f"none of {len(signatures)} signatures holds: {failure.what}"
    failure.where = f"{place}\n{signers}\nbundle's id {bundle_id}"
    raise failure


def is_of(bundle_id: str, signature: bytes) -> bool:
    """Whether a signature is one of this id, whoever made it. Raises `SignatureError`."""
    with tempfile.TemporaryDirectory(prefix="vendorpack-") as folder:
        path = Path(folder, "signature")
        path.write_bytes(signature)
        arguments = ["-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(path)]
        return _ssh_keygen(arguments, _message(bundle_id)).returncode == 0


def read(bundle_id: str, path: Path) -> bytes:
    """A bundle's signature, as it may be passed on. Raises `SignatureError`."""
    content = _look(path)
    if not is_of(bundle_id, content):
        raise SignatureError(
            "the signature is not one of this bundle",
            where=f"{path}\nbundle's id {bundle_id}",
            fix="The bundle was packed anew since: sign it again, or take the signature away.",
        )
    return content


def sound(signatures: Sequence[bytes], bundle_id: str) -> list[bytes]:
    """Those that are seen to be signatures of an id, whoever made them; none without ssh-keygen."""
    with contextlib.suppress(SignatureError):
        return [content for content in signatures if is_of(bundle_id, content)]
    return []


def _look(signature: Path) -> bytes:
    try:
        with signature.open("rb") as file:
            data = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise SignatureError(
            f"the bundle has no signature: {error.strerror}",
            where=str(signature),
            fix="Get it from whoever made the bundle (vendorpack sign), or name it with "
            "--signature.",
        ) from None
    if not data.startswith(_START) or len(data) > MAX_SIZE:
        raise SignatureError("this is no signature of OpenSSH's", where=str(signature))
    return data


def _names(signature: Path, signers: Path) -> list[str]:
    """The names that the signature's key has in the file of allowed signers."""
    done = _ssh_keygen(["-Y", "find-principals", "-s", str(signature), "-f", str(signers)], b"")
    # A line of the file may have several names, parted by commas.
    found = done.stdout.decode(errors="replace").replace(",", "\n").split("\n")
    return [name for name in found if name] if done.returncode == 0 else []


def _message(bundle_id: str) -> bytes:
    return f"{bundle_id}\n".encode()


def _ssh_keygen(arguments: Sequence[str], message: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", *arguments],  # noqa: S607 - wherever the user has it
            input=message,
            capture_output=True,
        )
    except OSError as error:
        raise SignatureError(
            f"ssh-keygen cannot be run: {error.strerror}",
            fix="Install OpenSSH's client, 8.2 or newer.",
        ) from None


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
