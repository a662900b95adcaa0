"""Signatures go with their bundles: through registries and a team's store, by real ssh-keygen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.engine.bundle_samples import HEAD, write_sample
from tests.engine.carried import Travel, allow, make_key
from tests.world import Registry, Reply
from tests.world.npm import NpmRegistry, npm_registry

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen")


def travel(registry: Registry, folder: Path) -> Travel:
    def kept(sha256: str) -> dict[str, bytes]:
        digest = f"sha256:{sha256}"
        return registry.manifests if digest in registry.manifests else registry.blobs

    return Travel(
        folder,
        f"{registry.host}/team/deps",
        blob=lambda sha256: kept(sha256)[f"sha256:{sha256}"],
        store=lambda sha256, data: kept(sha256).update({f"sha256:{sha256}": data}),
    )


@pytest.fixture(params=[True, False], ids=["referrers", "tags"])
def registry(request: pytest.FixtureRequest) -> Iterator[Registry]:
    registry = Registry(referrers=request.param)
    with registry.server:
        yield registry


def test_there_and_back_through_a_registry(registry: Registry, tmp_path: Path) -> None:
    way = travel(registry, tmp_path)
    cli = way.begin()
    way.there_and_back(cli)
    way.tampered(cli)
    tags = [name for _, name in registry.tags if name.startswith("sha256-")]
    assert len(tags) == (0 if registry.referrers else 1)


def test_foreign_signatures_in_a_registry(registry: Registry, tmp_path: Path) -> None:
    way = travel(registry, tmp_path)
    way.foreign(way.begin())


def test_a_list_that_is_nonsense(tmp_path: Path) -> None:
    """Of a registry without referrers anybody who may push can write the list of signatures."""
    registry = Registry()
    with registry.server:
        way = travel(registry, tmp_path)
        cli = way.begin()
        (tag,) = (name for name in registry.tags if name[1].startswith("sha256-"))
        digest = registry.tags[tag]
        good = json.loads(registry.manifests[digest])
        row = good["manifests"][0]
        lists: list[object] = [[], None, 5, {"manifests": {}}, {"manifests": [5, {"digest": "x"}]}]
        for made in lists:
            value = made if isinstance(made, dict) else {"manifests": made}
            registry.manifests[digest] = json.dumps({"mediaType": "x", **value}).encode()
            assert "has no signature" in way.refused(cli, 13)
        # Rows that lead nowhere stand in nobody's way, and neither does the same row twice.
        rows = [{**row, "digest": f"sha256:{'0' * 64}"}, row, row]
        registry.manifests[digest] = json.dumps({"mediaType": "x", "manifests": rows}).encode()
        way.there_and_back(cli)
        # Another image's signature is not this one's, wherever it is listed.
        other = json.loads(registry.manifests[row["digest"]])
        other["subject"]["digest"] = f"sha256:{'1' * 64}"
        registry.manifests[row["digest"]] = b""
        registry.manifests["x"] = json.dumps(other).encode()
        assert way.refused(cli, 7)


def test_nothing_is_asked_of_an_image_without_signature_twice(tmp_path: Path) -> None:
    """And a registry that answers anything to what it does not know is no obstacle."""
    registry = Registry()
    with registry.server:
        way = travel(registry, tmp_path)
        write_sample(tmp_path / "deps.tar.zst")
        (tmp_path / "home").mkdir()
        cli = Cli(tmp_path)
        assert not cli.ok("push", "deps.tar.zst", way.target, "--json").json["signed"]
        for status in (404, 400, 405, 200):
            registry.unknown = Reply(b"<html>", status, headers={"Content-Type": "text/html"})
            cli.ok("pull", f"{way.target}:{HEAD.key}", "-o", f"got{status}.tar.zst")
            assert not (tmp_path / f"got{status}.tar.zst.sig").exists()


def test_a_signature_of_another_bundle_is_not_pushed(tmp_path: Path) -> None:
    registry = Registry()
    with registry.server:
        (tmp_path / "home").mkdir()
        write_sample(tmp_path / "deps.tar.zst")
        cli = Cli(tmp_path)
        cli.ok("sign", "deps.tar.zst", "--key", make_key(tmp_path, "key"))
        write_sample(tmp_path / "deps.tar.zst", mtime=1)
        done = cli("push", "deps.tar.zst", f"{registry.host}/team/deps")
        assert done.code == 13 and "sign it again" in done.err
        assert registry.tags == {} and registry.blobs == {}
        done = cli(
            "push", "deps.tar.zst", f"{registry.host}/team/deps", "--signature", "no such.sig"
        )
        assert done.code == 13 and registry.tags == {}


@pytest.fixture
def npm(tmp_path: Path) -> Iterator[NpmRegistry]:
    npm = npm_registry()
    with npm.server:
        npm.lock(tmp_path / "project", {"a": "1.0.0"})
        (tmp_path / "home").mkdir()
        yield npm


def test_pack_signs_what_it_pushes_and_takes_only_what_is_signed(
    npm: NpmRegistry, tmp_path: Path
) -> None:
    cli, key = Cli(tmp_path), make_key(tmp_path, "key")
    allow(tmp_path / "signers", "ci", key)
    registry = Registry()
    with registry.server:
        team = f"{registry.host}/team/deps"
        packing = ("pack", "project", "--from", team, "--signers", tmp_path / "signers")
        made = cli.ok(*packing, "--push", "--sign", key, "-o", "a.tar.zst", "--json").json
        assert made["pushed"]
        cli.ok("verify", "a.tar.zst", "--signers", "signers")
        # Another machine takes it, and its signature.
        (tmp_path / "b").mkdir()
        other = Cli(tmp_path, store="store-b")
        pulled = other.ok(*packing, "-o", "b/b.tar.zst", "--json").json
        assert pulled["pulled"].startswith(team)
        other.ok("verify", "b/b.tar.zst", "--signers", "signers")
        # By nobody who is allowed: refused, not packed in silence.
        allow(tmp_path / "strangers", "x", make_key(tmp_path, "stranger"))
        done = other("pack", "project", "--from", team, "--signers", "strangers", "-o", "c.tar.zst")
        assert done.code == 13 and not (tmp_path / "c.tar.zst").exists()
    done = cli("pack", "project", "--sign", "missing", "-o", "d.tar.zst")
    assert done.code == 13 and not (tmp_path / "d.tar.zst").exists()


def test_a_teams_store_keeps_signatures(npm: NpmRegistry, tmp_path: Path) -> None:
    cli, key = Cli(tmp_path), make_key(tmp_path, "key")
    allow(tmp_path / "signers", "ci", key)
    team = tmp_path / "team"
    store = ("--store", team)
    cli.ok("pack", "project", *store, "-o", "a.tar.zst")
    getting = ("store", "get", "project", *store, "--signers", tmp_path / "signers", "-o")
    done = cli(*getting, "b.tar.zst")
    assert done.code == 13 and "has no signature" in done.err
    assert list(tmp_path.glob("b.tar.zst*")) == []
    # A stranger's comes first, and stands in nobody's way.
    cli.ok("sign", "a.tar.zst", "--key", make_key(tmp_path, "stranger"), *store)
    assert cli(*getting, "b.tar.zst").code == 13 and list(tmp_path.glob("b.tar.zst*")) == []
    cli.ok("sign", "a.tar.zst", "--key", key, *store)
    got = cli.ok(*getting, "b.tar.zst", "--json").json
    assert got["signature"] == "b.tar.zst.sig"
    cli.ok("verify", "b.tar.zst", "--signers", "signers")
    # One changed byte, in each place.
    kept = sorted((team / "signatures").rglob("*.sig"))
    assert len(kept) == 2
    mine = (tmp_path / "b.tar.zst.sig").read_bytes()
    (bundle,) = (team / "bundles").rglob("*.tar.zst")
    for path in (*(p for p in kept if p.read_bytes() == mine), bundle):
        good = path.read_bytes()
        middle = len(good) // 2
        path.write_bytes(good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :])
        assert cli(*getting, "c.tar.zst").code in (10, 13)
        assert list(tmp_path.glob("c.tar.zst*")) == []
        path.write_bytes(good)
    cli.ok(*getting, "c.tar.zst")
    # `pack --sign` puts it there at once.
    fresh = Cli(tmp_path, store="store-b")
    fresh.ok("pack", "project", "--store", tmp_path / "team-b", "-o", "d.tar.zst", "--sign", key)
    assert len([*(tmp_path / "team-b/signatures").rglob("*.sig")]) == 1
    fresh.ok("verify", "d.tar.zst", "--signers", "signers")
