"""The way of a signed bundle through a registry, whichever: there and back, and tampered with."""

from __future__ import annotations

import hashlib
import io
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cli import Cli
from tests.engine.bundle_samples import HEAD, write_sample
from vendorpack import signature
from vendorpack.bundle.reader import open_bundle
from vendorpack.commands.pushing import push_image
from vendorpack.console import Console
from vendorpack.oci.image import image_of, signature_manifest
from vendorpack.oci.reference import parse_reference
from vendorpack.project import Host


def make_key(folder: Path, name: str) -> Path:
    """An ssh key without a password; its public half lies beside it."""
    key = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    return key


def allow(signers: Path, name: str, key: Path, options: str = 'namespaces="vendorpack"') -> None:
    """Add a key to a file of allowed signers."""
    public = key.with_name(f"{key.name}.pub").read_text().strip()
    with signers.open("a") as file:
        file.write(f"{name} {options} {public}\n")


@dataclass(frozen=True)
class Travel:
    """A signed bundle in a folder, and a repository to carry it through.

    blob: the content of a blob or manifest of the registry's by its sha256; store: changes it.
    """

    folder: Path
    target: str
    blob: Callable[[str], bytes]
    store: Callable[[str, bytes], None]

    def begin(self) -> Cli:
        """Make the bundle, two keys and the file of signers, sign and push."""
        folder = self.folder
        (folder / "home").mkdir()
        write_sample(folder / "deps.tar.zst")
        key = make_key(folder, "key")
        allow(folder / "signers", "ci@example.com", key)
        make_key(folder, "other")
        cli = Cli(folder)
        cli.ok("sign", "deps.tar.zst", "--key", key)
        done = cli.ok("push", "deps.tar.zst", self.target, "--json").json
        assert done["signed"] and done["pushed"]
        again = cli.ok("push", "deps.tar.zst", self.target, "--json").json
        assert again["signed"] and not again["pushed"]
        return cli

    def there_and_back(self, cli: Cli) -> None:
        """Pull, verify and unpack, each with the signer named."""
        folder = self.folder
        signed = (folder / "deps.tar.zst.sig").read_bytes()
        by = ("--signers", folder / "signers", "--signer", "ci@example.com")
        cli.ok("pull", f"{self.target}:{HEAD.key}", "-o", "got.tar.zst", *by)
        assert (folder / "got.tar.zst").read_bytes() == (folder / "deps.tar.zst").read_bytes()
        assert (folder / "got.tar.zst.sig").read_bytes() == signed
        cli.ok("verify", "got.tar.zst", *by)
        cli.ok("unpack", "got.tar.zst", "--prefix", folder / "prefix", *by)
        # What is here already is asked for its signature all the same.
        (folder / "got.tar.zst.sig").unlink()
        assert (
            "already" in cli.ok("pull", f"{self.target}:{HEAD.key}", "-o", "got.tar.zst", *by).err
        )
        assert (folder / "got.tar.zst.sig").read_bytes() == signed
        # Without a signer it comes along, and is believed by nobody.
        cli.ok("pull", f"{self.target}:{HEAD.key}", "-o", "more.tar.zst")
        assert (folder / "more.tar.zst.sig").read_bytes() == signed
        for path in folder.glob("*.tar.zst*"):
            if not path.name.startswith("deps"):
                path.unlink()

    def refused(self, cli: Cli, code: int, *more: str | Path) -> str:
        """A pull that ends with this exit code, and writes nothing; what it says."""
        before = sorted(self.folder.rglob("*.tar.zst*"))
        by = ("--signers", self.folder / "signers", *more)
        done = cli("pull", f"{self.target}:{HEAD.key}", "-o", "got.tar.zst", *by)
        assert done.code == code, done.err
        assert sorted(self.folder.rglob("*.tar.zst*")) == before
        assert not [p for p in self.folder.iterdir() if p.name.startswith(".")]
        return done.err

    def tampered(self, cli: Cli) -> None:
        """Change one byte at each place in turn."""
        folder = self.folder
        signed = (folder / "deps.tar.zst.sig").read_bytes()
        with open_bundle(folder / "deps.tar.zst") as bundle:
            image = image_of(bundle)
        attached = signature_manifest(image.descriptor, signed)
        places = {
            _sha256(signed): (len(signed) // 2, 8),
            _sha256(attached): (attached.index(b"deps.tar"), 7),
            image.descriptor.hex: (image.manifest.index(b"deps.tar"), 13),
            image.layer.hex: (image.layer.size // 2, 8),
        }
        for sha256, (place, code) in places.items():
            good = self.blob(sha256)
            assert _sha256(good) == sha256
            self.store(sha256, good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
            self.refused(cli, code)
            self.store(sha256, good)
        signers = (folder / "signers").read_bytes()
        place = signers.rindex(b"AAAAC3") + 40
        for changed in (
            signers[:place] + bytes([signers[place] ^ 1]) + signers[place + 1 :],
            signers.replace(b'"vendorpack"', b'"vendorpacj"'),
        ):
            (folder / "signers").write_bytes(changed)
            self.refused(cli, 13)
        (folder / "signers").write_bytes(signers)
        assert "by 'ci@example.con'" in self.refused(cli, 13, "--signer", "ci@example.con")
        self.there_and_back(cli)

    def foreign(self, cli: Cli) -> None:
        """Signatures of another id, or by somebody else, are attached too: they do not help."""
        folder = self.folder
        with open_bundle(folder / "deps.tar.zst") as bundle:
            image, bundle_id = image_of(bundle), bundle.id
        other_id = bundle_id[:-1] + ("0" if bundle_id[-1] != "0" else "1")
        console = Console(out=io.StringIO(), err=io.StringIO())
        host = Host({}, folder / "home", "linux")
        (folder / "unsigned").mkdir()
        write_sample(folder / "unsigned" / "deps.tar.zst", level=19)
        cli.ok("push", folder / "unsigned" / "deps.tar.zst", self.target, "--replace")
        assert "has no signature" in self.refused(cli, 13)
        with open_bundle(folder / "unsigned" / "deps.tar.zst") as bundle:
            unsigned = image_of(bundle)
        reference = parse_reference(self.target).at(tag=HEAD.key)
        for content in (
            signature.sign(other_id, folder / "key"),
            signature.sign(bundle_id, folder / "other"),
        ):
            where = folder / "unsigned" / "deps.tar.zst"
            push_image(reference, unsigned, where, False, content, console, host)
            self.refused(cli, 13)
        assert "none of 2 signatures holds" in self.refused(cli, 13)
        # Beside those a good one is found.
        where = folder / "deps.tar.zst"
        good = (folder / "deps.tar.zst.sig").read_bytes()
        push_image(reference, image, where, True, good, console, host)
        other = signature.sign(bundle_id, folder / "other")
        push_image(reference, image, where, False, other, console, host)
        self.there_and_back_by(cli, good)

    def there_and_back_by(self, cli: Cli, good: bytes) -> None:
        """The allowed signer's is chosen among several; without signers that is said."""
        by = ("--signers", self.folder / "signers")
        cli.ok("pull", f"{self.target}:{HEAD.key}", "-o", "got.tar.zst", *by)
        assert (self.folder / "got.tar.zst.sig").read_bytes() == good
        done = cli.ok("pull", f"{self.target}:{HEAD.key}", "-o", "any.tar.zst")
        assert "2 of 2 signatures" in done.err and "--signers" in done.err


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
