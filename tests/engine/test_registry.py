"""push, pull and pack --from against a registry that may be wrong, and logins for it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cli import Cli, Done
from tests.engine.bundle_samples import HEAD, write_sample
from tests.world import Authority, Registry, Reply, Server
from tests.world.containers import BASIC, IDENTITY, USER, refusal
from tests.world.npm import NpmRegistry, npm_registry, sri, tarball
from vendorpack.commands import pulling, pushing
from vendorpack.commands.signed import Trusted
from vendorpack.console import Console
from vendorpack.errors import VendorpackError
from vendorpack.oci.logins import find_login
from vendorpack.oci.reference import parse_reference
from vendorpack.project import Host

AUTH = base64.b64encode(USER.encode()).decode()


@dataclass
class Bench:
    """A bundle, and a user with a home; the commands run in this process."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    key: str = HEAD.key

    @property
    def bundle(self) -> bytes:
        return (self.folder / "deps.tar.zst").read_bytes()

    def logged_in(self, registry: Registry, entry: Mapping[str, str] | None = None) -> None:
        """What `docker login` leaves."""
        config = {"auths": {registry.host: {"auth": AUTH} if entry is None else entry}}
        self.configure(json.dumps(config))

    def configure(self, text: str) -> None:
        path = self.folder / "home/.docker/config.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def push(
        self, registry: Registry, name: str = "", *, replace: bool = False, as_json: bool = False
    ) -> Done:
        def work(console: Console) -> None:
            target = f"{registry.host}/team/deps{name}"
            pushing.push(self.folder / "deps.tar.zst", target, replace, None, console, self._host())

        return self._run(work, as_json)

    def pull(
        self,
        registry: Registry,
        name: str = "",
        *,
        output: str = "got.tar.zst",
        as_json: bool = False,
    ) -> Done:
        def work(console: Console) -> None:
            source = f"{registry.host}/team/deps{name}"
            pulling.pull(
                source,
                self.folder / output,
                lambda: self.key,
                Trusted(),
                self.folder / "store",
                console,
                self._host(),
            )

        return self._run(work, as_json)

    def got(self) -> bytes | None:
        path = self.folder / "got.tar.zst"
        return path.read_bytes() if path.exists() else None

    def litter(self) -> list[str]:
        return [p.name for p in self.folder.iterdir() if p.name.startswith(".")]

    def _host(self) -> Host:
        return Host(self.environ, self.folder / "home", "linux")

    @staticmethod
    def _run(work: Callable[[Console], None], as_json: bool) -> Done:
        out, err = io.StringIO(), io.StringIO()
        console = Console(out=out, err=err, as_json=as_json)
        code = 0
        try:
            work(console)
        except VendorpackError as error:
            console.fail(error)
            code = error.exit_code
        return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    write_sample(tmp_path / "deps.tar.zst")
    return Bench(tmp_path)


@pytest.fixture(autouse=True)
def no_system_authorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the system's own for every client takes longer than most tests."""
    monkeypatch.setenv("SSL_CERT_FILE", str(Authority().write_pem(tmp_path / "system.pem")))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))


@dataclass
class Project:
    """A project, packed as it is typed."""

    folder: Path
    npm: NpmRegistry
    cli: Cli


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    npm = npm_registry()
    with npm.server:
        npm.lock(tmp_path / "project", {"a": "1.0.0", "b": "2.0.0"})
        yield Project(tmp_path, npm, Cli(tmp_path))


def methods(registry: Registry) -> list[str]:
    return [request.method for request in registry.server.requests]


def test_pull_replaces_nothing_but_files(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        bench.push(registry)
        (bench.folder / "got.tar.zst").symlink_to("real.tar.zst")
        assert bench.pull(registry).code == 0
        assert (bench.folder / "got.tar.zst").is_symlink()
        assert (bench.folder / "real.tar.zst").read_bytes() == bench.bundle
        fifo = bench.folder / "fifo"
        os.mkfifo(fifo)
        got: list[bytes] = []
        thread = threading.Thread(target=lambda: got.append(fifo.read_bytes()), daemon=True)
        thread.start()
        assert bench.pull(registry, output="fifo").code == 0
        thread.join(20)
        assert got == [bench.bundle] and stat.S_ISFIFO(fifo.lstat().st_mode)
        # What is not there leaves the fifo unopened: its reader waits on.
        assert bench.pull(registry, ":absent", output="fifo").code == 7
        assert stat.S_ISFIFO(fifo.lstat().st_mode)


def test_there_and_back(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        answer = bench.push(registry, as_json=True).json
        assert answer["pushed"] and answer["key"] == bench.key
        digest = registry.tags["team/deps", bench.key]
        assert answer["digest"] == digest
        assert answer["reference"] == f"{registry.host}/team/deps:{bench.key}@{digest}"
        assert registry.blobs[registry.layer] == bench.bundle
        assert len(registry.blobs) == 2 and len(registry.manifests) == 1
        # The same again only asks.
        registry.server.requests.clear()
        assert not bench.push(registry, as_json=True).json["pushed"]
        assert methods(registry) == ["GET"]
        # By key, by digest, by both, and by the key of the lockfiles here.
        for name in (f":{bench.key}", f"@{digest}", f":any@{digest}", ""):
            done = bench.pull(registry, name, as_json=True)
            assert done.code == 0, done.err
            assert (bench.got(), done.json["digest"]) == (bench.bundle, digest)
            (bench.folder / "got.tar.zst").unlink()
        assert bench.pull(registry).code == 0
        inode = (bench.folder / "got.tar.zst").stat().st_ino
        registry.server.requests.clear()
        assert "already" in bench.pull(registry).err
        assert methods(registry) == ["GET"]
        assert (bench.folder / "got.tar.zst").stat().st_ino == inode
        absent = bench.pull(registry, ":absent")
        assert absent.code == 7 and "no such bundle" in absent.err
    assert bench.litter() == []
    assert list((bench.folder / "store/v1/parts").iterdir()) == []


def test_a_tag_is_not_moved_unless_asked(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        assert bench.push(registry, ":stable").code == 0
        first = dict(registry.tags)
        write_sample(bench.folder / "deps.tar.zst", level=19)
        done = bench.push(registry, ":stable")
        assert done.code == 10 and "--replace" in done.err
        assert registry.tags == first and len(registry.blobs) == 2
        assert "pushed" in bench.push(registry, ":stable", replace=True).err
        assert registry.tags != first
        assert bench.pull(registry, ":stable").code == 0
        assert bench.got() == bench.bundle


def test_two_pushes_at_once(bench: Bench) -> None:
    registry = Registry()
    cli = Cli(bench.folder)
    with registry.server:
        at = f"{registry.host}/team/deps"
        running = [cli.start("push", "deps.tar.zst", at) for _ in range(2)]
        outputs = [process.communicate(timeout=60)[0] for process in running]
        assert [process.returncode for process in running] == [0, 0]
        assert len(set(outputs)) == 1
        assert bench.pull(registry).code == 0
        assert bench.got() == bench.bundle


def test_somebody_else_moves_the_tag_meanwhile(bench: Bench) -> None:
    registry = Registry()
    registry.steals["team/deps", bench.key] = b'{"mediaType": "other"}'
    with registry.server:
        done = bench.push(registry)
        assert done.code == 10 and "another image" in done.err
        registry.tags.clear()
        registry.steals["team/deps", bench.key] = b""
        done = bench.push(registry)
        assert done.code == 7 and "does not have it" in done.err and "Push again" in done.err


# -- faults ----------------------------------------------------------------------------------


def test_a_tampered_blob(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        assert bench.push(registry).code == 0
        data = bytearray(bench.bundle)
        data[len(data) // 2] ^= 1
        registry.blobs[registry.layer] = bytes(data)
        done = bench.pull(registry)
        assert done.code == 8 and "expected sha256:" in done.err
        assert bench.got() is None and bench.litter() == []


def test_a_tampered_manifest(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        assert bench.push(registry).code == 0
        digest = registry.tags["team/deps", bench.key]
        registry.manifests[digest] += b"\n"
        done = bench.pull(registry, f"@{digest}")
        assert done.code == 7 and "another manifest" in done.err
        registry.manifests[digest] = b'{"mediaType": "x", "layers": []}'
        done = bench.pull(registry)
        assert done.code == 7 and "not a bundle's image" in done.err
        assert bench.got() is None


def test_another_bundle_under_the_key(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        other = "cd" * 32
        assert bench.push(registry, f":{other}").code == 0
        done = bench.pull(registry, f":{other}")
        assert done.code == 11 and bench.got() is None
        # Under a name that is no key anything may be.
        assert bench.push(registry, ":latest").code == 0
        assert bench.pull(registry, ":latest").code == 0
    assert bench.litter() == []


def test_an_image_that_is_no_bundle(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        assert bench.push(registry).code == 0
        content = os.urandom(5000)
        manifest = json.loads(registry.manifests[registry.tags["team/deps", bench.key]])
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        manifest["layers"][0].update(digest=digest, size=len(content))
        registry.blobs[digest] = content
        registry.manifests["x"] = json.dumps(manifest).encode()
        registry.tags["team/deps", "x"] = "x"
        done = bench.pull(registry, ":x")
        assert done.code == 10 and f"{registry.host}/team/deps:x" in done.err
        assert bench.got() is None and bench.litter() == []


def test_a_cut_pull_goes_on_where_it_stopped(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        assert bench.push(registry).code == 0
        half = len(bench.bundle) // 2
        etag = {"ETag": f'"{registry.layer}"'}
        registry.blob = [Reply(bench.bundle, headers=etag, cut=half, reset=True)]
        assert bench.pull(registry).code == 0
        assert bench.got() == bench.bundle
        ranges = [r.headers.get("range") for r in registry.server.requests if "/blobs/" in r.path]
        assert f"bytes={half}-" in ranges
        # An earlier run's part that is not of this file costs one more download.
        (bench.folder / "got.tar.zst").unlink()
        registry.blob = [
            Reply(b"x" * half, cut=half, length=len(bench.bundle)),
            *[Reply(status=404)],
        ]
        assert bench.pull(registry).code == 7
        assert bench.pull(registry).code == 0
        assert bench.got() == bench.bundle


def test_an_upload_that_fails(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        registry.uploads = [Reply(status=503, headers={"Retry-After": "0"})]
        assert bench.push(registry).code == 0
        assert registry.blobs[registry.layer] == bench.bundle
        registry.blobs.clear()
        registry.tags.clear()
        registry.uploads = [refusal(403, "DENIED")]
        done = bench.push(registry)
        assert done.code == 7 and "403 DENIED" in done.err
        assert registry.tags == {}


def test_an_image_is_refused_while_somebody_else_pushes_it(bench: Bench) -> None:
    """Docker's registry does not know a blob in the moment in which another upload links it."""
    moment = refusal(400, "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN")
    registry = Registry(images=[moment, moment])
    with registry.server:
        assert bench.push(registry).code == 0
        assert bench.pull(registry).code == 0
        assert bench.got() == bench.bundle


@pytest.mark.parametrize(
    ("codes", "times", "advice"),
    [(["BLOB_UNKNOWN"], 6, "push again"), (["MANIFEST_INVALID"], 1, "")],
)
def test_an_image_that_the_registry_does_not_take(
    bench: Bench, codes: list[str], times: int, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: low)  # what is waited between attempts
    registry = Registry(images=[refusal(404, *codes)] * 9)
    with registry.server:
        done = bench.push(registry)
        assert done.code == 7 and f"404 {codes[0]}" in done.err and advice in done.err
        assert "canary" not in done.err
        assert len(registry.images) == 9 - times and registry.tags == {}


def test_blobs_from_elsewhere(bench: Bench) -> None:
    """Registries hand downloads to object stores: no login goes along."""
    registry = Registry(auth="basic")
    with registry.server, Server({}, default=lambda request: Reply(bench.bundle)) as cdn:
        bench.logged_in(registry)
        assert bench.push(registry).code == 0
        registry.redirect = f"{cdn.url}/signed?token=canary-query&blob="
        done = bench.pull(registry)
        assert done.code == 0, done.err
        assert len(cdn.requests) == 1 and "authorization" not in cdn.requests[0].headers
        assert "canary" not in done.out + done.err


def test_uploads_to_elsewhere(bench: Bench) -> None:
    registry = Registry(auth="basic")
    elsewhere = Registry()
    with registry.server, elsewhere.server:
        bench.logged_in(registry)
        registry.located = elsewhere.server.url
        elsewhere_blobs = registry.blobs = elsewhere.blobs
        assert bench.push(registry).code == 0
        assert elsewhere_blobs[registry.layer] == bench.bundle
        assert all("authorization" not in r.headers for r in elsewhere.server.requests)


def test_an_upload_is_redirected(bench: Bench) -> None:
    registry = Registry(auth="basic")
    elsewhere = Registry(blobs=registry.blobs)
    with registry.server, elsewhere.server:
        bench.logged_in(registry)
        digest = "sha256:" + hashlib.sha256(bench.bundle).hexdigest()
        there = f"{elsewhere.server.url}/v2/any/blobs/uploads/1?digest={digest}"
        registry.uploads = [Reply(status=307, headers={"Location": there})]
        assert bench.push(registry).code == 0
        assert registry.blobs[digest] == bench.bundle
        (request,) = elsewhere.server.requests
        assert request.method == "PUT" and "authorization" not in request.headers


def test_no_proxy_is_asked_for_a_registry_on_this_machine(bench: Bench) -> None:
    registry = Registry(auth="basic")
    bench.environ |= {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    with registry.server:
        bench.logged_in(registry)
        assert bench.push(registry).code == 0


# -- logins ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("registry", "entry"),
    [
        (Registry(auth="basic"), {"auth": AUTH}),
        (Registry(auth="token"), {"auth": AUTH}),
        (Registry(auth="token"), {"username": "user", "password": "canary-password"}),
        (Registry(auth="token"), {"identitytoken": IDENTITY}),
        (Registry(auth="token", token_uses=2), {"auth": AUTH}),
    ],
    ids=["basic", "token", "password", "identity", "short-lived"],
)
def test_logging_in(bench: Bench, registry: Registry, entry: Mapping[str, str]) -> None:
    with registry.server:
        without = bench.push(registry)
        assert without.code == 7 and f"docker login {registry.host}" in without.err
        assert registry.blobs == {}
        bench.logged_in(registry, entry)
        outputs = [without]
        for done in (bench.push(registry), bench.push(registry), bench.pull(registry)):
            assert done.code == 0, done.err
            outputs.append(done)
        assert bench.got() == bench.bundle
        wrong = {"auth": base64.b64encode(b"user:canary-wrong").decode()}
        bench.logged_in(registry, wrong)
        outputs.append(bench.pull(registry, ":other"))
        assert outputs[-1].code == 7 and "config.json" in outputs[-1].err
    if registry.auth == "token":
        assert {s.rpartition(":")[2] for s in registry.scopes} == {"pull", "pull,push"}
        assert {s.rpartition(":")[0] for s in registry.scopes} == {"repository:team/deps"}
    assert all("canary" not in done.out + done.err for done in outputs)
    assert all(b"canary" not in data for data in registry.manifests.values())


def test_what_is_public_needs_no_login(bench: Bench) -> None:
    registry = Registry(auth="token", public=True)
    with registry.server:
        bench.logged_in(registry)
        assert bench.push(registry).code == 0
        (bench.folder / "home/.docker/config.json").unlink()
        assert bench.pull(registry).code == 0
        assert bench.push(registry).code == 7


@pytest.mark.parametrize("realm", ["http://registry.example/token", "ftp://x/", "https:///"])
def test_a_token_server_that_no_login_may_go_to(bench: Bench, realm: str) -> None:
    registry = Registry(auth="token", realm=realm)
    with registry.server:
        bench.logged_in(registry)
        done = bench.push(registry)
        assert done.code in (6, 7) and "canary" not in done.err
        assert registry.blobs == {}


HELPER = """#!/bin/sh
read server
[ "$1" = get ] || exit 3
case "$server" in
    {host}) echo '{{"Username": "{user}", "Secret": "{secret}"}}' ;;
    *) echo "credentials not found in native keychain"; exit 1 ;;
esac
"""


@pytest.mark.parametrize(
    ("config", "user", "secret", "works"),
    [
        ({"credsStore": "test"}, "user", "canary-password", True),
        ({"credHelpers": {"HOST": "test"}}, "user", "canary-password", True),
        ({"credsStore": "test", "auths": {"HOST": {}}}, "<token>", IDENTITY, True),
        ({"credHelpers": {"other.example": "test"}}, "user", "canary-password", False),
        ({"credsStore": "../test"}, "user", "canary-password", False),
        ({"credsStore": "absent"}, "user", "canary-password", False),
        ({"credsStore": 7}, "user", "canary-password", False),
        ({"credsStore": "test"}, 'user", "x', "canary\\u0000", False),
    ],
)
def test_a_credential_helper(
    bench: Bench, config: Any, user: str, secret: str, works: bool
) -> None:
    registry = Registry(auth="token")
    with registry.server:
        bench.configure(json.dumps(config).replace("HOST", registry.host))
        (bench.folder / "bin").mkdir()
        helper = bench.folder / "bin/docker-credential-test"
        helper.write_text(HELPER.format(host=registry.host, user=user, secret=secret))
        helper.chmod(0o755)
        bench.environ["PATH"] = f"{bench.folder}/bin:{os.environ['PATH']}"
        done = bench.push(registry)
        assert (done.code == 0) == works, done.err
        assert "canary" not in done.out + done.err


LOGINS: list[tuple[str, dict[str, Any], str | None]] = [
    (".docker/config.json", {"auths": {"registry.example": {"auth": AUTH}}}, BASIC),
    (".docker/config.json", {"auths": {"https://registry.example": {"auth": AUTH}}}, BASIC),
    (".docker/config.json", {"auths": {"https://registry.example/v2/": {"auth": AUTH}}}, BASIC),
    ("own/config.json", {"auths": {"registry.example": {"auth": AUTH}}}, BASIC),
    ("run/containers/auth.json", {"auths": {"registry.example/team": {"auth": AUTH}}}, BASIC),
    (".config/containers/auth.json", {"auths": {"registry.example": {"auth": AUTH}}}, BASIC),
    ("file.json", {"auths": {"registry.example/team/deps": {"auth": AUTH}}}, BASIC),
    (".docker/config.json", {"auths": {"registry.example/tea": {"auth": AUTH}}}, None),
    (".docker/config.json", {"auths": {"registry.example:443": {"auth": AUTH}}}, None),
    (".docker/config.json", {"auths": {"example": {"auth": AUTH}}}, None),
    (".docker/config.json", {"auths": {"registry.example": {"auth": "canary!"}}}, None),
    (".docker/config.json", {"auths": {"registry.example": {"identitytoken": "a\nb"}}}, None),
    (".docker/config.json", {"auths": ["registry.example"]}, None),
    (".docker/config.json", {"auths": {"registry.example": "canary"}}, None),
]


@pytest.mark.parametrize(("name", "config", "header"), LOGINS)
def test_where_logins_are(
    tmp_path: Path, name: str, config: dict[str, Any], header: str | None
) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(json.dumps(config))
    environ = {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    if name == "own/config.json":
        environ["DOCKER_CONFIG"] = str(tmp_path / "own")
    if name == "file.json":
        environ["REGISTRY_AUTH_FILE"] = str(tmp_path / "file.json")
    host = Host(environ, tmp_path, "linux")
    sought = find_login(parse_reference("registry.example/team/deps"), host)
    assert (sought.login.basic if sought.login else None) == header
    assert "canary" not in repr(sought) + sought.explain()
    assert header is not None or name in sought.explain()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_file_of_logins_that_makes_no_sense(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_bytes(content)
    host = Host({}, tmp_path, "linux")
    sought = find_login(parse_reference("registry.example/deps"), host)
    assert sought.login is None and "config.json" in sought.explain()


# -- pack --from -----------------------------------------------------------------------------


def test_pack_from_a_registry(project: Project) -> None:
    registry = Registry()
    with registry.server:
        pack = ("pack", "project", "--json", "--from", f"{registry.host}/team/deps")
        first = project.cli.ok(*pack, "--push")
        assert first.json["pushed"] and "not there yet" in first.err
        bundle = (project.folder / "deps.tar.zst").read_bytes()
        assert registry.blobs[registry.layer] == bundle
        # Somebody else, with nothing: from the registry alone.
        (project.folder / "deps.tar.zst").unlink()
        project.npm.server.requests.clear()
        fresh = Cli(project.folder, store="fresh")
        second = fresh.ok(*pack, "--push").json
        assert second["pulled"] == first.json["reference"]
        assert second["id"] == first.json["id"]
        assert (project.folder / "deps.tar.zst").read_bytes() == bundle
        assert project.npm.server.requests == []
        # What is here already is not asked for, but is pushed where it is missing.
        registry.server.requests.clear()
        assert fresh.ok(*pack).json["reused"] and registry.server.requests == []
        registry.tags.clear()
        assert fresh.ok(*pack, "--push").json["pushed"]
        # An image layout is made from what was pulled as well.
        fresh.ok(*pack, "--oci", "image")
        layer = registry.layer.removeprefix("sha256:")
        assert (project.folder / "image/blobs/sha256" / layer).read_bytes() == bundle
        # What was tampered with is no reason to pack, but to stop.
        (project.folder / "deps.tar.zst").unlink()
        registry.blobs[registry.layer] = bytes(len(bundle))
        assert fresh(*pack).code == 8
        assert not (project.folder / "deps.tar.zst").exists()


def test_a_registry_that_is_down_is_no_reason_to_fail(project: Project) -> None:
    registry = Registry(auth="token")
    with registry.server:
        place = ("--from", f"{registry.host}/team/deps")
        done = project.cli.ok("pack", "project", *place)
        assert "packing instead" in done.err and (project.folder / "deps.tar.zst").exists()
        done = project.cli("pack", "project", *place, "--push")
        assert done.code == 7 and "docker login" in done.err


def test_what_was_let_in_by_name_is_not_taken_by_others(project: Project) -> None:
    registry = Registry()
    with registry.server:
        pack = ("pack", "project", "--from", f"{registry.host}/team/deps")
        weak = sri(tarball("a", "1.0.0"), "sha1")
        project.npm.lock(project.folder / "project", {"a": "1.0.0"}, a={"integrity": weak})
        project.cli.ok(*pack, "--allow-weak-hash", "a", "--push")
        assert len(registry.tags) == 1
        (project.folder / "deps.tar.zst").unlink()
        done = Cli(project.folder, store="fresh")(*pack)
        assert done.code == 6 and "let in by name" in done.err
        assert not (project.folder / "deps.tar.zst").exists()


def test_pull_where_the_lockfile_is(project: Project) -> None:
    registry = Registry()
    with registry.server:
        at = f"{registry.host}/team/deps"
        project.cli.ok("pack", "project", "-o", "plain.tar")
        project.cli.ok("push", "plain.tar", at)
        project.cli.ok("pull", at, cwd=project.folder / "project")
        pulled = (project.folder / "project/deps.tar").read_bytes()
        assert pulled == (project.folder / "plain.tar").read_bytes()


def test_a_plain_tar_is_not_made_of_a_compressed_one(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        assert bench.push(registry).code == 0
        done = bench.pull(registry, output="deps.tar")
        assert done.code == 7 and ".tar.zst" in done.err


def test_what_cannot_be_pushed(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        data = bench.bundle
        assert bench.push(registry, f"@sha256:{'0' * 64}").code == 2
        (bench.folder / "deps.tar.zst").write_bytes(data[:-9])
        assert bench.push(registry).code == 10
        assert registry.server.requests == []
