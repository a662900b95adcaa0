"""Signatures by the real ssh-keygen: made, checked, and refused before anything is written."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli import Cli, Done
from tests.engine.bundle_samples import write_sample
from tests.engine.carried import allow, make_key
from vendorpack.bundle.reader import open_bundle

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen")


@pytest.fixture
def vendorpack(tmp_path: Path) -> Cli:
    (tmp_path / "home").mkdir()
    write_sample(tmp_path / "deps.tar.zst")
    allow(tmp_path / "signers", "me@example.com,ci", make_key(tmp_path, "key"))
    return Cli(tmp_path)


def unpack(vendorpack: Cli, *more: str | Path) -> Done:
    signers = ("--signers", vendorpack.folder / "signers")
    done = vendorpack(
        "unpack", "deps.tar.zst", "--prefix", vendorpack.folder / "p", *signers, *more
    )
    assert (vendorpack.folder / "p").exists() is (done.code == 0)
    return done


def test_signed_and_checked(vendorpack: Cli) -> None:
    folder = vendorpack.folder
    answer = vendorpack.ok("sign", "deps.tar.zst", "--key", folder / "key").out
    with open_bundle(folder / "deps.tar.zst") as bundle:
        assert answer == f"deps.tar.zst.sig {bundle.id}\n"
        message = f"{bundle.id}\n"
    signed = (folder / "deps.tar.zst.sig").read_bytes()
    vendorpack.ok("sign", "deps.tar.zst", "--key", folder / "key")
    assert (folder / "deps.tar.zst.sig").read_bytes() == signed
    by_hand = ["ssh-keygen", "-Y", "verify", "-f", "signers", "-I", "ci", "-n", "vendorpack"]
    subprocess.run(
        [*by_hand, "-s", "deps.tar.zst.sig"], input=message.encode(), cwd=folder, check=True
    )
    assert unpack(vendorpack).code == 0
    for more in ((), ("--signer", "ci"), ("--signer", "me@example.com")):
        vendorpack.ok("verify", "deps.tar.zst", "--signers", "signers", *more)
    found = ("--signers", "signers", "--signature", "deps.tar.zst.sig")
    vendorpack.ok("verify", folder / "p", *found)
    # The id is of the tree, however it is compressed.
    write_sample(folder / "deps.tar", uncompressed=True)
    write_sample(folder / "small.tar.zst", level=19)
    for other in ("deps.tar", "small.tar.zst"):
        vendorpack.ok("verify", other, *found)


def test_a_stream_gets_the_signature_and_nothing_is_replaced_by_it(vendorpack: Cli) -> None:
    """A fifo stays one and a link leads where it did; `-` is standard output."""
    folder = vendorpack.folder
    signing = ("sign", "deps.tar.zst", "--key", folder / "key")
    vendorpack.ok(*signing)
    signed = (folder / "deps.tar.zst.sig").read_text()
    with open_bundle(folder / "deps.tar.zst") as bundle:
        bundle_id = bundle.id
    done = vendorpack.ok(*signing, "--output", "-")
    assert done.out == signed and f"- {bundle_id}\n" in done.err
    assert not (folder / "-").exists()
    (folder / "file").write_text("old")
    (folder / "link").symlink_to("file")
    vendorpack.ok(*signing, "--output", "link")
    assert (folder / "link").is_symlink() and (folder / "file").read_text() == signed
    os.mkfifo(folder / "fifo")
    reader = os.open(folder / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    try:
        vendorpack.ok(*signing, "--output", "fifo")
        assert (folder / "fifo").is_fifo() and os.read(reader, 1 << 16).decode() == signed
    finally:
        os.close(reader)
    (folder / "folder").mkdir()
    done = vendorpack(*signing, "--output", "folder")
    assert done.code == 2 and "Name a file: folder/deps.tar.zst.sig" in done.err


def test_refused_before_anything_is_written(vendorpack: Cli) -> None:
    folder = vendorpack.folder
    assert unpack(vendorpack).code == 13
    signature = folder / "deps.tar.zst.sig"
    other = make_key(folder, "other")
    vendorpack.ok("sign", "deps.tar.zst", "--key", other)
    assert unpack(vendorpack).code == 13
    vendorpack.ok("sign", "deps.tar.zst", "--key", folder / "key")
    assert unpack(vendorpack, "--signer", "nobody").code == 13
    good = signature.read_bytes()
    for data in (b"", b"x" * 70_000, good[:-40], good.replace(b"SSH SIGNATURE", b"SSH SIGNATURES")):
        signature.write_bytes(data)
        assert unpack(vendorpack).code == 13
    signature.unlink()
    signature.mkdir()
    assert unpack(vendorpack).code == 13
    signature.rmdir()
    signature.write_bytes(good)
    assert unpack(vendorpack, "--signers", folder / "no such file").code == 13
    assert unpack(vendorpack).code == 0


def test_another_bundle_under_a_good_signature(vendorpack: Cli) -> None:
    vendorpack.ok("sign", "deps.tar.zst", "--key", vendorpack.folder / "key")
    write_sample(vendorpack.folder / "deps.tar.zst", mtime=1)
    done = unpack(vendorpack)
    assert done.code == 13 and "not one of this bundle by an allowed signer" in done.err
    done = vendorpack("run", "deps.tar.zst", "--signers", "signers", "--", "touch", "ran")
    assert done.code != 0 and not (vendorpack.folder / "ran").exists()


def test_any_changed_byte_is_refused(vendorpack: Cli) -> None:
    """Of the signature, and of the bundle that it is of."""
    folder = vendorpack.folder
    vendorpack.ok("sign", "deps.tar.zst", "--key", folder / "key")
    for name in ("deps.tar.zst.sig", "deps.tar.zst"):
        path = folder / name
        good = path.read_bytes()
        end = good.find(b"\n-----END") if name.endswith(".sig") else len(good)
        for place in range(30 if name.endswith(".sig") else 0, end, end // 12):
            changed = good[place] ^ 1
            path.write_bytes(good[:place] + bytes([changed]) + good[place + 1 :])
            if path.read_bytes().split() == good.split():
                continue  # white space in the armour
            assert unpack(vendorpack).code in (10, 13), (name, place)
        path.write_bytes(good)
    assert unpack(vendorpack).code == 0


@pytest.mark.parametrize(
    "options", ['namespaces="git"', 'valid-before="20200101"', 'valid-after="20990101"']
)
def test_what_the_file_of_signers_says_holds(vendorpack: Cli, options: str) -> None:
    folder = vendorpack.folder
    vendorpack.ok("sign", "deps.tar.zst", "--key", folder / "key")
    (folder / "signers").unlink()
    allow(folder / "signers", "me", folder / "key", options)
    assert unpack(vendorpack).code == 13


def test_a_key_in_the_agent(vendorpack: Cli) -> None:
    if shutil.which("ssh-agent") is None:
        pytest.skip("no ssh-agent")
    folder = vendorpack.folder
    started = subprocess.run(
        ["ssh-agent", "-s", "-a", folder / "agent"], capture_output=True, text=True, check=True
    )
    pid = started.stdout.partition("SSH_AGENT_PID=")[2].partition(";")[0]
    try:
        environ = {"SSH_AUTH_SOCK": str(folder / "agent")}
        subprocess.run(["ssh-add", "-q", folder / "key"], env={**os.environ, **environ}, check=True)
        (folder / "key").unlink()
        agent = Cli(folder, environ=environ)
        agent.ok("sign", "deps.tar.zst", "--key", folder / "key.pub")
    finally:
        os.kill(int(pid), 15)
    assert unpack(vendorpack).code == 0


def test_what_cannot_sign(vendorpack: Cli) -> None:
    folder = vendorpack.folder
    (folder / "nonsense").write_bytes(b"no key")
    for key in ("nonsense", "missing"):
        done = vendorpack("sign", "deps.tar.zst", "--key", folder / key)
        assert done.code == 13 and "ssh-keygen cannot sign" in done.err
    assert not (folder / "deps.tar.zst.sig").exists()
    (folder / "deps.tar.zst").write_bytes(b"no bundle")
    assert vendorpack("sign", "deps.tar.zst", "--key", folder / "key").code == 10
    alone = Cli(folder, environ={"PATH": "/nonexistent"})
    write_sample(folder / "deps.tar.zst")
    done = alone("sign", "deps.tar.zst", "--key", folder / "key")
    assert done.code == 13 and "Install OpenSSH" in done.err
    assert vendorpack("verify", "deps.tar.zst", "--signer", "me").code == 2


def test_a_signature_can_be_made_a_rule(vendorpack: Cli) -> None:
    ruled = Cli(
        vendorpack.folder, environ={"VENDORPACK_SIGNERS": str(vendorpack.folder / "signers")}
    )
    assert ruled("verify", "deps.tar.zst").code == 13
    ruled.ok("sign", "deps.tar.zst", "--key", vendorpack.folder / "key")
    ruled.ok("verify", "deps.tar.zst")
