"""One commit, fetched from real repositories with the real git: also from hostile ones."""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import os
import struct
import threading
from pathlib import Path

import pytest

from tests.real.clients import tool
from tests.world.git import Repository
from vendorpack.errors import (
    FetchError,
    IntegrityError,
    PolicyError,
    UnsupportedError,
    VendorpackError,
)
from vendorpack.fetch.git import fetch_commit
from vendorpack.fetch.git_client import GitAddress, MovedError
from vendorpack.formats._shared.git.pack import BLOB, pack_commit_id, read_pack

NOBODY = "0123456789abcdef0123456789abcdef01234567"
LOCAL = ("file",)


@pytest.fixture(autouse=True)
def git() -> str:
    return tool("git")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "origin")


def fetch(address: GitAddress, out: Path, **options: object) -> bytes:
    arguments = {"environ": os.environ, "protocols": LOCAL, **options}
    asyncio.run(fetch_commit(address, out, **arguments))  # type: ignore[arg-type]
    return out.read_bytes()


FILES = {
    "README": b"hello\n",
    "same": b"hello\n",
    "empty": b"",
    "src/deep/er/code.c": b"int main;\n" * 20_000,
    "src/deep/other": bytes(range(256)) * 256,
    "exactly": b"x" * 65535,
}


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_the_pack_is_the_commit_and_git_agrees(tmp_path: Path, object_format: str) -> None:
    repository = Repository(tmp_path / "origin", object_format)
    repository.commit({"old": b"history\n"})
    (repository.folder / "old").unlink()
    (repository.folder / "link").symlink_to("../../etc/passwd")
    commit = repository.commit(FILES)
    out = tmp_path / "out"
    fetch(GitAddress(repository.url, commit), out)

    id_size = len(commit) // 2
    assert pack_commit_id(out, id_size).hex() == commit
    with out.open("rb") as file:
        pack = read_pack(file, id_size)
    expected = repository.git("rev-list", "--objects", "--no-walk", "--no-object-names", commit)
    assert [oid.hex() for oid in pack.objects] == sorted(expected.split())
    # git itself reads it
    bare = Repository(tmp_path / "bare", object_format)
    bare.git("unpack-objects", "-q", stdin=out.read_bytes())
    assert bare.git("cat-file", "blob", f"{commit}:src/deep/er/code.c") == (
        FILES["src/deep/er/code.c"].decode().strip()
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bare", "origin", "out"]


def test_an_annotated_tag_goes_in_with_the_commit_it_leads_to(
    repository: Repository, tmp_path: Path
) -> None:
    commit = repository.commit({"a": b"1"})
    repository.git("tag", "-a", "v1", "-m", "x")
    repository.git("tag", "-a", "v2", "-m", "x", "v1")
    tag, outer = repository.git("rev-parse", "v1"), repository.git("rev-parse", "v2")
    for pinned, size in ((tag, 4), (outer, 5)):
        fetch(GitAddress(repository.url, pinned), tmp_path / "out")
        with (tmp_path / "out").open("rb") as file:
            pack = read_pack(file)
        assert (pack.tip.hex(), pack.commit.hex(), len(pack.objects)) == (pinned, commit, size)
        by_ref = fetch(GitAddress(repository.url, pinned, "refs/tags/v2"), tmp_path / "again")
        assert by_ref == (tmp_path / "out").read_bytes()


def test_a_tag_of_a_file_is_refused(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a": b"1"})
    repository.git("tag", "-a", "odd", "-m", "x", "HEAD:a")
    with pytest.raises(FetchError, match="no commit"):
        fetch(GitAddress(repository.url, repository.git("rev-parse", "odd")), tmp_path / "out")


def test_the_same_commit_is_the_same_pack_whatever_the_server_packed(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "one")
    commit = repository.commit(FILES)
    first = fetch(GitAddress(repository.url, commit), tmp_path / "first")
    repository.git("repack", "-adfq", "--depth=50")
    repository.commit({"later": b"x"})
    second = fetch(GitAddress(repository.url, commit, "refs/heads/main"), tmp_path / "second")
    assert first == second


@pytest.mark.parametrize("ref", ["refs/heads/side", "side", None, "gone"])
def test_a_server_that_hands_out_only_its_refs(
    repository: Repository, tmp_path: Path, ref: str | None
) -> None:
    repository.commit({"a": b"1"})
    repository.git("checkout", "-q", "-b", "side")
    commit = repository.commit({"a": b"2"})
    repository.commit({"a": b"3"})
    repository.git("checkout", "-q", "main")
    # Only protocol 0 keeps a server from serving any object that it has.
    repository.git("config", "uploadpack.allowAnySHA1InWant", "false")
    repository.git("config", "protocol.version", "0")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[protocol]\n\tversion = 0\n")
    out = tmp_path / "out"
    environ = {**os.environ, "HOME": str(home)}
    fetch(GitAddress(repository.url, commit, ref), out, environ=environ, keep_config=True)
    assert pack_commit_id(out).hex() == commit


def test_submodules_are_left_alone(repository: Repository, tmp_path: Path) -> None:
    other = Repository(tmp_path / "other")
    inner = other.commit({"x": b"secret of another repository"})
    repository.git("submodule", "add", "-q", other.url, "sub")
    commit = repository.commit({"a": b""})
    out = tmp_path / "out"
    content = fetch(GitAddress(repository.url, commit), out)
    assert b"secret of another repository" not in content
    with out.open("rb") as file:
        pack = read_pack(file)
    assert bytes.fromhex(inner) not in pack.objects
    assert [entry.oid.hex() for entry in pack.entries(pack.root) if entry.is_submodule] == [inner]


@pytest.mark.parametrize("name", [b".git", b".GIT", b"..", b"."])
def test_a_tree_that_reaches_out_of_the_work_tree(
    repository: Repository, tmp_path: Path, name: bytes
) -> None:
    blob = repository.git("hash-object", "-w", "--stdin", stdin=b"[core]\n")
    raw = b"100644 " + name + b"\0" + bytes.fromhex(blob)
    tree = repository.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=raw)
    commit = repository.git("commit-tree", tree, "-m", "x")
    repository.git("update-ref", "refs/heads/main", commit)
    fetch(GitAddress(repository.url, commit), tmp_path / "out")
    with pytest.raises(UnsupportedError, match="named"):
        pack_commit_id(tmp_path / "out")


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% {canary}",
        "ext::sh",
        "--upload-pack=touch {canary}",
        "-u./x",
        "ssh://-oProxyCommand=touch%20{canary}/x",
        "ssh://-oProxyCommand=touch{canary}@example.com/x",
        "ssh://example.com/-x",
        "https://example.com/a\nb",
        "https://example.com/a b",
        "https://[broken/x",
        "https:///nohost",
        "http://example.com/x",
        "git://example.com/x",
        "file:///etc",
        "fd::17",
        "git@example.com:owner/name.git",
        "/etc",
        "",
    ],
)
def test_urls_that_git_never_gets_to_see(tmp_path: Path, url: str) -> None:
    canary = tmp_path / "canary"
    address = GitAddress(url.format(canary=canary), NOBODY)
    with pytest.raises(PolicyError):
        fetch(address, tmp_path / "out", protocols=("https", "ssh"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("commit", "ref"),
    [
        ("main", None),
        ("--upload-pack=x", None),
        (NOBODY[:12], None),
        (NOBODY.upper(), None),
        (NOBODY + "\n", None),
        (NOBODY, "--upload-pack=touch x"),
        (NOBODY, "a:b"),
        (NOBODY, "a..b"),
        (NOBODY, "+refs/*"),
        (NOBODY, "a b"),
        (NOBODY, "a\nb"),
    ],
)
def test_commits_and_refs_that_git_never_gets_to_see(
    tmp_path: Path, commit: str, ref: str | None
) -> None:
    with pytest.raises((UnsupportedError, PolicyError)):
        fetch(
            GitAddress("https://example.com/x", commit, ref), tmp_path / "out", protocols=("https",)
        )
    assert list(tmp_path.iterdir()) == []


def test_the_users_configuration_hooks_and_environment_have_no_say(
    repository: Repository, tmp_path: Path
) -> None:
    commit = repository.commit({"a": b"1"})
    canary = tmp_path / "canary"
    hook = repository.folder / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {canary}\n")
    hook.chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text('[url "file:///nowhere/"]\n\tinsteadOf = "file:///"\n')
    environ = {
        **os.environ,
        "HOME": str(home),
        "GIT_DIR": "/nowhere",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "remote.origin.uploadpack",
        "GIT_CONFIG_VALUE_0": f"touch {canary}",
        "GIT_TRACE": str(canary),
    }
    fetch(GitAddress(repository.url, commit), tmp_path / "out", environ=environ)
    assert pack_commit_id(tmp_path / "out").hex() == commit
    assert not canary.exists()
    with pytest.raises(FetchError):
        fetch(
            GitAddress(repository.url, commit), tmp_path / "out", environ=environ, keep_config=True
        )


def test_failures_say_what_and_where_and_leave_nothing(
    repository: Repository, tmp_path: Path
) -> None:
    repository.commit({"a": b"1"})
    with pytest.raises(FetchError) as missing:
        fetch(GitAddress(repository.url, NOBODY, "main"), tmp_path / "out")
    assert NOBODY in str(missing.value) or "not our ref" in str(missing.value)
    with pytest.raises(FetchError) as unreachable:
        fetch(GitAddress(f"{repository.url}/nothing", NOBODY), tmp_path / "out")
    assert unreachable.value.where == f"{repository.url}/nothing"
    with pytest.raises(FetchError, match="git is not installed"):
        fetch(GitAddress(repository.url, NOBODY), tmp_path / "out", environ={"PATH": "/nowhere"})
    tag = repository.git("hash-object", "-w", "--stdin", stdin=b"a blob, not a commit")
    with pytest.raises(FetchError, match="no commit"):
        fetch(GitAddress(repository.url, tag), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["origin"]


def test_secrets_stay_out_of_errors(tmp_path: Path) -> None:
    address = GitAddress("https://user:canary-token@127.0.0.1:1/x.git?key=canary-key", NOBODY)
    with pytest.raises(FetchError) as caught:
        fetch(address, tmp_path / "out", protocols=("https",))
    assert "127.0.0.1" in str(caught.value)
    assert "canary" not in str(caught.value)


class Recorder(http.server.BaseHTTPRequestHandler):
    """Sends whoever asks to `elsewhere`, and remembers what came with the question."""

    elsewhere = ""
    seen: list[tuple[str, str | None]] = []

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers["Authorization"]))
        self.send_response(302 if self.path.startswith("/first") else 404)
        self.send_header("Location", self.elsewhere)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize("authorization", [None, "Bearer canary-token"])
def test_a_token_goes_to_its_origin_and_git_follows_no_redirect(
    tmp_path: Path, authorization: str | None
) -> None:
    Recorder.seen = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        port = server.server_port
        Recorder.elsewhere = f"http://localhost:{port}/second/info/refs?service=git-upload-pack"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(MovedError) as caught:
                fetch(
                    GitAddress(f"http://127.0.0.1:{port}/first", NOBODY),
                    tmp_path / "out",
                    protocols=("http",),
                    authorization=authorization,
                )
        finally:
            server.shutdown()
            thread.join()
    folders = [(path.split("/")[1], header) for path, header in Recorder.seen]
    assert folders == [("first", authorization)]
    assert "canary" not in str(caught.value)


def test_git_is_ended_when_time_is_up(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({"a": b"1"})
    with pytest.raises(FetchError, match="took longer"):
        fetch(GitAddress(repository.url, commit), tmp_path / "out", seconds=0.0)
    assert [path.name for path in tmp_path.iterdir()] == ["origin"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"git+https://example.com/x.git#{NOBODY}",
            GitAddress("https://example.com/x.git", NOBODY),
        ),
        (
            f"git+ssh://git@example.com/x?refs/heads/a%23b#{NOBODY}",
            GitAddress("ssh://git@example.com/x", NOBODY, "refs/heads/a#b"),
        ),
        (f"https://example.com/x.git#{NOBODY}", None),
        ("git+https://example.com/x.git", None),
    ],
)
def test_addresses(text: str, expected: GitAddress | None) -> None:
    if expected is None:
        with pytest.raises(UnsupportedError):
            GitAddress.parse(text)
    else:
        assert GitAddress.parse(text) == expected


def test_a_pack_with_any_bit_flipped_or_bytes_cut_is_refused(
    repository: Repository, tmp_path: Path
) -> None:
    commit = repository.commit({"a": b"1", "b/c": b"2"})
    good = fetch(GitAddress(repository.url, commit), tmp_path / "good")
    damaged = tmp_path / "damaged"
    for position in range(len(good)):
        for bad in (
            good[:position],
            good[:position] + bytes([good[position] ^ 1 << position % 8]) + good[position + 1 :],
        ):
            damaged.write_bytes(bad)
            with pytest.raises(VendorpackError):
                pack_commit_id(damaged)
    damaged.write_bytes(good + b"\0")
    with pytest.raises(IntegrityError, match="checksum"):
        pack_commit_id(damaged)


def test_a_pack_in_another_order_is_refused(repository: Repository, tmp_path: Path) -> None:
    """One commit has one pack: what is in it twice, or out of its place, makes another."""
    commit = repository.commit({"a": b"1"})
    fetch(GitAddress(repository.url, commit), tmp_path / "one")
    content = (tmp_path / "one").read_bytes()
    with (tmp_path / "one").open("rb") as file:
        places = list(read_pack(file).objects.values())
    records = [content[place.offset : place.end] for place in places]
    for changed in (records[::-1], [*records, records[-1]]):
        body = b"PACK" + struct.pack(">II", 2, len(changed)) + b"".join(changed)
        (tmp_path / "other").write_bytes(body + hashlib.sha1(body).digest())
        with pytest.raises(IntegrityError, match="not in order"):
            pack_commit_id(tmp_path / "other")


def test_a_pack_with_more_than_the_commit_is_refused(
    repository: Repository, tmp_path: Path
) -> None:
    """An object nobody names is put in, in its right place and with right checksums."""
    commit = repository.commit({"a": b"1"})
    fetch(GitAddress(repository.url, commit), tmp_path / "one")
    other = Repository(tmp_path / "other")
    stranger = other.commit({"b": b"a stranger"})
    fetch(GitAddress(other.url, stranger), tmp_path / "two")
    records = {}
    for name in ("one", "two"):
        content = (tmp_path / name).read_bytes()
        with (tmp_path / name).open("rb") as file:
            pack = read_pack(file)
        for oid, place in pack.objects.items():
            if name == "one" or place.kind == BLOB:
                records[oid] = content[place.offset : place.end]
    body = b"PACK" + struct.pack(">II", 2, len(records))
    body += b"".join(records[oid] for oid in sorted(records))
    (tmp_path / "both").write_bytes(body + hashlib.sha1(body).digest())
    with pytest.raises(IntegrityError, match="not the commit's"):
        pack_commit_id(tmp_path / "both")
