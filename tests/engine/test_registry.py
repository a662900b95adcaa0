"""push, pull and pack --from against a registry that may be wrong, and logins for it."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli import Cli, Done
from tests.loopback import Registry, Reply, Server
from tests.loopback.registry import BASIC, IDENTITY, USER
from tests.npm_world import World, world
from vendorpack.model import Host
from vendorpack.oci.logins import find_login
from vendorpack.oci.reference import parse_reference

AUTH = base64.b64encode(USER.encode()).decode()


@dataclass
class Bench:
    """A project with a bundle, and a registry to be entered."""

    folder: Path
    npm: World
    cli: Cli
    key: str

    @property
    def bundle(self) -> bytes:
        return (self.folder / "deps.tar.zst").read_bytes()

    def logged_in(self, registry: Registry, entry: Mapping[str, str] | None = None) -> None:
        """What `docker login` leaves."""
        config = {"auths": {registry.host: {"auth": AUTH} if entry is None else entry}}
        path = self.folder / "home/.docker/config.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(config))

    def push(self, registry: Registry, *args: str) -> Done:
        return self.cli("push", "deps.tar.zst", f"{registry.host}/team/deps", *args)

    def pull(self, registry: Registry, *args: str, name: str = "") -> Done:
        at = name or f":{self.key}"
        return self.cli("pull", f"{registry.host}/team/deps{at}", "-o", "got.tar.zst", *args)

    def got(self) -> bytes | None:
        path = self.folder / "got.tar.zst"
        return path.read_bytes() if path.exists() else None

    def litter(self) -> list[str]:
        return [p.name for p in self.folder.iterdir() if p.name.startswith(".")]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    npm = world()
    with npm.server:
        npm.lock(tmp_path / "project", {"a": "1.0.0", "b": "2.0.0"})
        cli = Cli(tmp_path)
        key = cli.ok("pack", "project", "--json").json["key"]
        yield Bench(tmp_path, npm, cli, key)


def methods(registry: Registry) -> list[str]:
    return [request.method for request in registry.server.requests]


def test_there_and_back(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        answer = bench.push(registry, "--json").json
        assert answer["pushed"] and answer["key"] == bench.key
        digest = registry.tags["team/deps", bench.key]
        assert answer["digest"] == digest
        assert answer["reference"] == f"{registry.host}/team/deps:{bench.key}@{digest}"
        assert registry.blobs[registry.layer] == bench.bundle
        assert len(registry.blobs) == 2 and len(registry.manifests) == 1
        # The same again only asks.
        registry.server.requests.clear()
        assert not bench.push(registry, "--json").json["pushed"]
        assert methods(registry) == ["GET"]
        # By key, by digest, by both, by nothing in the project's folder.
        for name in (f":{bench.key}", f"@{digest}", f":any@{digest}"):
            done = bench.pull(registry, "--json", name=name)
            assert done.code == 0, done.err
            assert (bench.got(), done.json["digest"]) == (bench.bundle, digest)
            (bench.folder / "got.tar.zst").unlink()
        here = bench.folder / "project"
        bench.cli.ok("pull", f"{registry.host}/team/deps", cwd=here)
        assert (here / "deps.tar.zst").read_bytes() == bench.bundle
        inode = (here / "deps.tar.zst").stat().st_ino
        registry.server.requests.clear()
        assert "already" in bench.cli.ok("pull", f"{registry.host}/team/deps", cwd=here).err
        assert methods(registry) == ["GET"]
        assert (here / "deps.tar.zst").stat().st_ino == inode
    assert bench.litter() == []
    assert list((bench.folder / "store/v1/parts").iterdir()) == []


def test_a_tag_is_not_moved_unless_asked(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        at = f"{registry.host}/team/deps:stable"
        bench.cli.ok("push", "deps.tar.zst", at)
        first = dict(registry.tags)
        bench.cli.ok("pack", "project", "-o", "deps.tar.zst", "--level", "19")
        done = bench.cli("push", "deps.tar.zst", at)
        assert done.code == 10 and "--replace" in done.err
        assert registry.tags == first and len(registry.blobs) == 2
        assert "pushed" in bench.cli.ok("push", "deps.tar.zst", at, "--replace").err
        assert registry.tags != first
        bench.cli.ok("pull", at, "-o", "got.tar.zst")
        assert bench.got() == bench.bundle


def test_two_pushes_at_once(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        at = f"{registry.host}/team/deps"
        running = [bench.cli.start("push", "deps.tar.zst", at) for _ in range(3)]
        outputs = [process.communicate(timeout=60)[0] for process in running]
        assert [process.returncode for process in running] == [0, 0, 0]
        assert len(set(outputs)) == 1
        assert bench.pull(registry).code == 0
        assert bench.got() == bench.bundle


def test_somebody_else_moves_the_tag_meanwhile(bench: Bench) -> None:
    registry = Registry()
    other = b'{"mediaType": "other"}'

    def theirs(_self: Registry = registry) -> None:
        registry.manifests["sha256:other"] = other
        registry.tags["team/deps", bench.key] = "sha256:other"

    answer = registry.server._default

    def late(request: Any) -> Reply:
        reply = answer(request)
        if request.method == "PUT" and "/manifests/" in request.path:
            theirs()
        return reply

    registry.server._default = late
    with registry.server:
        done = bench.push(registry)
        assert done.code == 10 and "another image" in done.err


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
        done = bench.cli(
            "pack", "project", "-o", "got.tar.zst", "--from", f"{registry.host}/team/deps"
        )
        assert done.code == 8 and bench.got() is None


def test_a_tampered_manifest(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        assert bench.push(registry).code == 0
        digest = registry.tags["team/deps", bench.key]
        registry.manifests[digest] += b"\n"
        done = bench.pull(registry, name=f"@{digest}")
        assert done.code == 7 and "another manifest" in done.err
        registry.manifests[digest] = b'{"mediaType": "x", "layers": []}'
        done = bench.pull(registry)
        assert done.code == 7 and "not a bundle's image" in done.err
        assert bench.got() is None


def test_another_bundle_under_the_key(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        bench.npm.lock(bench.folder / "project", {"a": "1.0.0"})
        bench.cli.ok("pack", "project", "-o", "other.tar.zst")
        at = f"{registry.host}/team/deps"
        bench.cli.ok("push", "other.tar.zst", f"{at}:{bench.key}")
        done = bench.pull(registry)
        assert done.code == 11 and bench.got() is None
        # Under a name that is no key anything may be.
        bench.cli.ok("push", "other.tar.zst", f"{at}:latest")
        assert bench.pull(registry, name=":latest").code == 0
    assert bench.litter() == []


def test_an_image_that_is_no_bundle(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        assert bench.push(registry).code == 0
        content = os.urandom(5000)
        manifest = json.loads(registry.manifests[registry.tags["team/deps", bench.key]])
        digest = "sha256:" + __import__("hashlib").sha256(content).hexdigest()
        manifest["layers"][0].update(digest=digest, size=len(content))
        registry.blobs[digest] = content
        registry.manifests["x"] = json.dumps(manifest).encode()
        registry.tags["team/deps", "x"] = "x"
        done = bench.pull(registry, name=":x")
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
        registry.uploads = [Reply(b'{"errors": [{"code": "DENIED"}]}', 403)]
        done = bench.push(registry)
        assert done.code == 7 and "403 DENIED" in done.err
        assert registry.tags == {}


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


# -- logins ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("registry", "entry"),
    [
        (Registry(auth="basic"), {"auth": AUTH}),
        (Registry(auth="token"), {"auth": AUTH}),
        (Registry(auth="token"), {"username": "user", "password": "canary-password"}),
        (Registry(auth="token"), {"identitytoken": IDENTITY}),
        (Registry(auth="token", token_uses=1), {"auth": AUTH}),
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
        outputs.append(bench.pull(registry, "--json", name=":other"))
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
        folder = bench.folder / "home/.docker"
        folder.mkdir(parents=True)
        text = json.dumps(config).replace("HOST", registry.host)
        (folder / "config.json").write_text(text)
        (bench.folder / "bin").mkdir()
        helper = bench.folder / "bin/docker-credential-test"
        helper.write_text(HELPER.format(host=registry.host, user=user, secret=secret))
        helper.chmod(0o755)
        path = f"{bench.folder}/bin:{os.environ['PATH']}"
        cli = Cli(bench.folder, environ={"PATH": path})
        done = cli("push", "deps.tar.zst", f"{registry.host}/team/deps")
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


def test_pack_from_a_registry(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        place = ("--from", f"{registry.host}/team/deps")
        pack = ("pack", "project", "-o", "got.tar.zst", "--json", *place)
        first = bench.cli.ok(*pack, "--push")
        assert first.json["pushed"] and "not there yet" in first.err
        assert registry.blobs[registry.layer] == bench.bundle == bench.got()
        # Somebody else, with nothing: from the registry alone.
        (bench.folder / "got.tar.zst").unlink()
        bench.npm.server.requests.clear()
        fresh = Cli(bench.folder, store="fresh")
        second = fresh.ok(*pack, "--push").json
        assert second["pulled"] == first.json["reference"]
        assert second["id"] == first.json["id"] and bench.got() == bench.bundle
        assert bench.npm.server.requests == []
        # What is here already is not asked for, but is pushed where it is missing.
        registry.server.requests.clear()
        assert fresh.ok(*pack).json["reused"] and registry.server.requests == []
        registry.tags.clear()
        assert fresh.ok(*pack, "--push").json["pushed"]
        # An image layout is made from what was pulled as well.
        fresh.ok("pack", "project", "--oci", "image", *place)
        layer = registry.layer.removeprefix("sha256:")
        assert (bench.folder / "image/blobs/sha256" / layer).read_bytes() == bench.bundle


def test_a_registry_that_is_down_is_no_reason_to_fail(bench: Bench) -> None:
    registry = Registry(auth="token")
    with registry.server:
        place = ("--from", f"{registry.host}/team/deps")
        done = bench.cli.ok("pack", "project", "-o", "got.tar.zst", *place)
        assert "packing instead" in done.err and bench.got() == bench.bundle
        done = bench.cli("pack", "project", "-o", "got.tar.zst", *place, "--push")
        assert done.code == 7 and "docker login" in done.err


def test_what_was_let_in_by_name_is_not_taken_by_others(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        place = ("--from", f"{registry.host}/team/deps")
        bench.npm.lock(bench.folder / "project", {"a": "1.0.0"}, a={"integrity": None})
        allow = ("--allow-missing-hash", "a")
        made = bench.cli("pack", "project", "-o", "one.tar.zst", *allow, *place, "--push")
        if made.code == 0 and registry.tags:
            other = Cli(bench.folder, store="fresh")
            done = other("pack", "project", "-o", "got.tar.zst", *place)
            assert done.code == 6 and bench.got() is None or "not now" in done.err


def test_a_plain_tar_is_not_made_of_a_compressed_one(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        assert bench.push(registry).code == 0
        done = bench.cli("pull", f"{registry.host}/team/deps:{bench.key}", "-o", "deps.tar")
        assert done.code == 7 and ".tar.zst" in done.err
        bench.cli.ok("pack", "project", "-o", "plain.tar", "--oci", "image")
        bench.cli.ok("push", "plain.tar", f"{registry.host}/team/plain")
        bench.cli.ok("pull", f"{registry.host}/team/plain", cwd=bench.folder / "project")
        pulled = (bench.folder / "project/deps.tar").read_bytes()
        assert pulled == (bench.folder / "plain.tar").read_bytes()


def test_what_cannot_be_pushed(bench: Bench) -> None:
    registry = Registry()
    with registry.server:
        data = bench.bundle
        (bench.folder / "deps.tar.zst").write_bytes(data[:-9])
        assert bench.push(registry).code == 10
        (bench.folder / "deps.tar.zst").write_bytes(data)
        at = f"{registry.host}/team/deps@sha256:{'0' * 64}"
        assert bench.cli("push", "deps.tar.zst", at).code == 2
        assert registry.server.requests == []
