"""store gc and store verify: what nobody wants is removed, and nothing else."""

from __future__ import annotations

import json
import os
import time
from io import BytesIO
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.engine.test_remote_store import Place, place, s3
from tests.world.npm import NpmRegistry
from vendorpack.errors import UsageError
from vendorpack.store.collecting import parse_keys

__all__ = ["place", "s3"]  # fixtures

WEEK = 7 * 24 * 3600


def aged(store: Path, seconds: float = WEEK) -> None:
    """Let all that is in a folder have been there for so long."""
    then = time.time() - seconds
    for path in store.rglob("*"):
        os.utime(path, (then, then))


def objects(store: Path) -> set[str]:
    return {p.relative_to(store).as_posix() for p in store.rglob("*") if p.is_file()}


@pytest.fixture
def repository(npm: NpmRegistry, tmp_path: Path) -> Path:
    npm.lock(tmp_path / "repository/old", {"a": "1.0.0", "b": "1.0.0"})
    npm.lock(tmp_path / "repository/web", {"a": "1.0.0", "c": "1.0.0"})
    return tmp_path / "repository"


def test_what_nobody_wants(repository: Path, place: Place, tmp_path: Path) -> None:
    """First it is said, then done; in a folder and in a bucket."""
    cli = Cli(tmp_path, environ=place.environ)
    store = ("--store", place.url)
    made = {
        name: cli.ok("pack", repository / name, *store, "--json").json for name in ("old", "web")
    }
    plan = cli.ok("plan", repository / "web").out
    (tmp_path / "plan").write_text(plan)
    gc = ("store", "gc", *store, "--keep", tmp_path / "plan", "--json")
    assert cli.ok(*gc).json["objects"] == 0  # all of it is young
    said = cli.ok(*gc, "--older-than", "0").json
    # The bundle, b's bytes, and the index by which they are found.
    assert (said["bundles"], said["artifacts"], said["objects"], said["removed"]) == (
        1,
        1,
        3,
        False,
    )
    cli.ok("exists", made["old"]["key"], *store)
    done = cli.ok(*gc, "--older-than", "0", "--delete").json
    assert done == {**said, "removed": True}
    assert cli("exists", made["old"]["key"], *store).code == 7
    cli.ok("store", "get", repository / "web", *store, "-o", "web.tar.zst")
    assert cli.ok("store", "verify", *store, "--json").json["wrong"] == []
    # It all comes again.
    again = Cli(tmp_path, store="fresh", environ=place.environ)
    packed = again.ok("pack", repository / "old", *store, "-o", "o.tar.zst", "--json").json
    assert packed["id"] == made["old"]["id"] and packed["from_team_store"] == 1
    assert cli.ok(*gc, "--older-than", "0").json["objects"] == 3


def test_signatures_go_with_their_bundle(repository: Path, tmp_path: Path) -> None:
    cli, store = Cli(tmp_path), tmp_path / "team"
    ids = {}
    for name in ("old", "web"):
        made = cli.ok("pack", repository / name, "--store", store, "--json").json
        ids[name] = made["id"]
        folder = store / "signatures/v1" / made["id"]
        folder.mkdir(parents=True)
        (folder / f"{'0' * 64}.sig").write_text("x")
    aged(store)
    keep = tmp_path / "keep"
    keep.write_text(cli.ok("key", repository / "web").out)
    cli.ok("store", "gc", "--store", store, "--keep", keep, "--older-than", "1", "--delete")
    assert [path.name for path in store.glob("signatures/v1/*/*")] == [f"{'0' * 64}.sig"]
    assert (store / "signatures/v1" / ids["web"] / f"{'0' * 64}.sig").is_file()


def test_gc_beside_writers(npm: NpmRegistry, repository: Path, tmp_path: Path) -> None:
    """Four pack wanted projects while gc runs in a loop: nothing wanted is lost."""
    cli, store = Cli(tmp_path), tmp_path / "team"
    for name in ("old", "web"):
        cli.ok("pack", repository / name, "--store", store)
    before = {p.name[:64] for p in store.glob("bundles/v1/*")}
    web = cli.ok("key", repository / "web").out.strip()
    aged(store)
    wanted = [web]
    for number in range(4):
        folder = repository / f"new-{number}"
        npm.lock(folder, {"a": "1.0.0", "b": "1.0.0", f"own-{number}": "1.0.0"})
        wanted.append(cli.ok("key", folder).out.strip())
    (tmp_path / "keys").write_text("\n".join(wanted))
    kept = objects(store)
    writers = [
        Cli(tmp_path, store=f"store-{number}").start(
            "pack", repository / f"new-{number}", "--store", store, "-o", f"{number}.tar.zst"
        )
        for number in range(4)
    ]
    rounds = 0
    while any(writer.poll() is None for writer in writers):
        gc = ("store", "gc", "--store", store, "--keep", tmp_path / "keys", "--delete")
        done = cli(*gc, "--older-than", "1")
        assert done.code == 0, done.err
        rounds += 1
    for writer in writers:
        _, err = writer.communicate()
        assert writer.returncode == 0 and "warning" not in err, err
    assert rounds
    there = {p.name[:64] for p in store.glob("bundles/v1/*")}
    assert there == set(wanted) and before - there
    # What the wanted bundle of before had is there still, and all of it is sound.
    assert cli.ok("store", "verify", "--store", store, "--json").json["wrong"] == []
    for number in range(4):
        cli.ok("pack", repository / f"new-{number}", "-o", f"alone-{number}.tar.zst")
        alone = (tmp_path / f"alone-{number}.tar.zst").read_bytes()
        assert (tmp_path / f"{number}.tar.zst").read_bytes() == alone
    offline = Cli(tmp_path, store="offline", environ={"https_proxy": "http://127.0.0.1:9"})
    offline.ok("store", "get", repository / "web", "--store", store, "-o", "web.tar.zst")
    shown = offline.ok("show", "web.tar.zst", "--json").json
    for artifact in shown["artifacts"]:
        name = f"cas/sha256/{artifact['sha256'][:2]}/{artifact['sha256']}"
        assert name in kept and (store / name).is_file()


def test_an_index_without_its_artifact_is_mended(repository: Path, tmp_path: Path) -> None:
    """Such a thing is left where a pack names an old artifact while gc takes it."""
    cli, store = Cli(tmp_path), tmp_path / "team"
    cli.ok("pack", repository / "web", "--store", store)
    blob = next(store.glob("cas/sha256/*/*"))
    content = blob.read_bytes()
    blob.unlink()
    found = cli("store", "verify", "--store", store)
    assert found.code == 8 and "the artifact that it names is not there" in found.err
    fresh = Cli(tmp_path, store="fresh")
    done = fresh.ok("pack", repository / "web", "--store", store, "-o", "x.tar.zst", "--json").json
    assert (done["downloaded"], done["from_team_store"]) == (1, 1)
    assert blob.read_bytes() == content
    cli.ok("store", "verify", "--store", store)


def test_verify_names_what_is_wrong(
    repository: Path, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = Cli(tmp_path, environ=place.environ)
    store = ("--store", place.url)
    cli.ok("pack", repository / "web", *store)
    assert "objects in " in cli.ok("store", "verify", *store).out
    held = place.objects(monkeypatch)
    key = cli.ok("key", repository / "web").out.strip()
    names = [one.name for folder in ("cas/", "bundles/") for one in held.listed(folder)]
    for name in names[1:]:
        held.remove(name)
        held.create(name, BytesIO(b"wrong"))
    done = cli("store", "verify", *store)
    assert done.code == 8 and done.err.count("its sha256 is") == 1
    assert f"bundles/v1/{key}.tar.zst: this is not a vendorpack bundle" in done.err
    assert cli("store", "gc", *store).code == 10  # nobody knows what that bundle needs
    assert "removed" in cli.ok("store", "verify", *store, "--delete").out
    assert cli.ok("store", "verify", *store, "--json").json["wrong"] == []


def test_keys_of_a_plan(repository: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    plans = [cli.ok("plan", "-r", repository, *more).out for more in ((), ("--array",))]
    found = [[*parse_keys(plan, "plan")] for plan in plans]
    assert found[0] == found[1] and len(found[0]) == 2
    assert [*parse_keys(f"\n{'a' * 64}\n", "keys")] == ["a" * 64]
    for bad in ("x", "{}", "[1]", json.dumps({"key": 3}), "{", "A" * 64):
        with pytest.raises(UsageError) as error:
            [*parse_keys(f"{'a' * 64}\n{bad}", "keys")]
        assert error.value.where == "keys:2"
    (tmp_path / "empty").write_text("")
    done = cli("store", "gc", "--store", tmp_path / "team", "--keep", tmp_path / "empty")
    assert done.code == 2 and "no key at all is wanted" in done.err
