"""Deltas, reuse of an older bundle, and diff: as typed, over a registry of 200 packages."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli import Cli
from tests.real.clients import tool
from tests.world.npm import NpmRegistry, npm_registry
from vendorpack.bundle import tar
from vendorpack.bundle.manifest import Manifest, manifest_id
from vendorpack.bundle.reader import open_bundle
from vendorpack.changes import Change
from vendorpack.commands.delta import markdown_table
from vendorpack.errors import BundleError

COUNT = 200
OLD = {f"p{number:03}": "1.0.0" for number in range(COUNT)}
# Ten packages (5 %) have other versions, one is gone, one is new.
NEW = {
    **{name: "1.1.0" if int(name[1:]) % 20 == 0 else version for name, version in OLD.items()},
    "zz": "1.0.0",
}
del NEW["p001"]


@dataclass(frozen=True)
class Upgrade:
    """Bundles of the old lockfile, of the new one, and the delta between them."""

    folder: Path
    npm: NpmRegistry
    old: Path
    new: Path
    delta: Path
    packed: dict[str, Any]
    """What `pack` said of old, new and delta."""


@pytest.fixture(scope="module")
def upgrade(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgrade]:
    folder = tmp_path_factory.mktemp("upgrade")
    # Lockfiles named from elsewhere, so that the tests' own runs give the same keys.
    (folder / "elsewhere").mkdir()
    cli = Cli(folder / "elsewhere")
    old, new, delta = (folder / f"{name}.tar.zst" for name in ("old", "new", "delta"))
    npm = npm_registry()
    with npm.server:
        for name, version in {*OLD.items(), *NEW.items()}:
            npm.publish(name, version, noise=noise(f"{name}@{version}"))
        npm.lock(folder / "old", OLD)
        npm.lock(folder / "new", NEW)
        packed = {
            "old": cli.ok("pack", folder / "old", "-o", old, "--json").json,
            "new": cli.ok("pack", folder / "new", "-o", new, "--json").json,
            "delta": cli.ok("pack", folder / "new", "--base", old, "-o", delta, "--json").json,
        }
        yield Upgrade(folder, npm, old, new, delta, packed)


def noise(seed: str) -> str:
    """About 20 kB that do not compress below half."""
    return "".join(hashlib.sha512(f"{seed} {n}".encode()).hexdigest() for n in range(160))


@pytest.fixture
def cli(upgrade: Upgrade, tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def tree(folder: Path) -> dict[str, tuple[bytes | None, int, float]]:
    """Path to content, mode and time of everything."""
    return {
        str(path.relative_to(folder)): (
            path.read_bytes() if path.is_file() else None,
            path.stat().st_mode,
            path.stat().st_mtime if path.is_file() else 0,
        )
        for path in folder.rglob("*")
    }


# -- deltas --------------------------------------------------------------------------------


def test_a_delta_is_small_and_base_plus_delta_is_the_full_bundle(
    upgrade: Upgrade, cli: Cli, tmp_path: Path
) -> None:
    full, small = upgrade.packed["new"], upgrade.packed["delta"]
    assert small["id"] == full["id"] and small["key"] == full["key"]
    assert small["base"] == upgrade.packed["old"]["id"]
    # Eleven tarballs of 200, and the manifest, which lists all the files.
    assert small["size"] < full["size"] * 0.1
    with open_bundle(upgrade.delta, or_delta=True) as delta, open_bundle(upgrade.new) as new:
        assert delta.manifest_bytes == new.manifest_bytes and delta.id == new.id
        assert sum(f.size for f in delta.files) < sum(f.size for f in new.files) * 0.08
        assert small["kept"] == len(new.files) - len(delta.files)

    cli.ok("unpack", upgrade.new, "--prefix", "full")
    expected = tree(tmp_path / "full")
    # Onto the prefix that holds the base.
    cli.ok("unpack", upgrade.old, "--prefix", "grown")
    done = cli.ok("unpack", upgrade.delta, "--prefix", "grown", "--json")
    assert done.json["id"] == full["id"]
    assert tree(tmp_path / "grown") == expected
    assert "holds this bundle already" in cli.ok("unpack", upgrade.delta, "--prefix", "grown").err
    # Beside it, from the base's file.
    cli.ok("unpack", upgrade.delta, "--base", upgrade.old, "--prefix", "beside")
    assert tree(tmp_path / "beside") == expected
    assert cli.ok("verify", "beside", "--json").json["id"] == full["id"]


def test_tar_alone_gives_a_working_tree(upgrade: Upgrade, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    for bundle in (upgrade.old, upgrade.delta):
        tool("zstd")
        subprocess.run(["tar", "--zstd", "-xf", bundle, "-C", tmp_path / "plain"], check=True)
    verified = cli.ok("verify", "plain", "--json").json
    assert verified["id"] == upgrade.packed["new"]["id"]
    cli.ok("unpack", upgrade.new, "--prefix", "full")
    plain, full = tree(tmp_path / "plain"), tree(tmp_path / "full")
    assert full.keys() <= plain.keys()
    own = {"vendorpack.json"}
    assert {name: plain[name][0] for name in full.keys() - own} == {
        name: full[name][0] for name in full.keys() - own
    }
    # A delta on top of it, or the bundle itself, makes it the bundle's again.
    cli.ok("unpack", upgrade.new, "--prefix", "plain")
    assert tree(tmp_path / "plain") == full


def test_deltas_can_be_chained(upgrade: Upgrade, cli: Cli, tmp_path: Path) -> None:
    upgrade.npm.lock(tmp_path / "newest", {**NEW, "p002": "3.0.0"})
    packed = cli.ok("pack", "newest", "--base", upgrade.delta, "-o", "2.tar.zst", "--json").json
    assert packed["base"] == upgrade.packed["new"]["id"]
    full = cli.ok("pack", "newest", "-o", "full.tar.zst", "--json").json
    assert packed["id"] == full["id"]
    for bundle in (upgrade.old, upgrade.delta, tmp_path / "2.tar.zst"):
        cli.ok("unpack", bundle, "--prefix", "chain")
    assert cli.ok("verify", "chain", "--json").json["id"] == full["id"]
    # The folder of an unpacked bundle is as good a base as its file.
    again = cli.ok("pack", "newest", "--base", "chain", "-o", "nothing.tar.zst", "--json").json
    with open_bundle(tmp_path / "full.tar.zst") as whole:
        assert again["id"] == whole.id and again["kept"] == len(whole.manifest.files)


def test_a_delta_is_held_against_its_lockfile(upgrade: Upgrade, cli: Cli, tmp_path: Path) -> None:
    """Alone it does not tell what its base has; with that, all is compared."""
    lock = ("--lockfile", upgrade.npm.lock(tmp_path / "newest", {**NEW, "p002": "3.0.0"}))
    cli.ok("pack", "newest", "--base", upgrade.delta, "-o", "2.tar.zst")
    done = cli("verify", "2.tar.zst", *lock)
    assert done.code == 15 and "in the delta's base: " in done.err and not done.out
    assert "1 artifact as the lockfile pins them" in done.err
    cli.ok("verify", "2.tar.zst", "--allow-unproven", *lock)
    for bundle in (upgrade.old, upgrade.delta):
        cli.ok("unpack", bundle, "--prefix", "p")
    everything = f"{len(NEW)} artifacts as the lockfile pins them"
    for target in (("--base", upgrade.new, "--prefix", "q"), ("--prefix", "p")):
        assert everything in cli.ok("unpack", "2.tar.zst", *target, *lock).err
    assert everything in cli.ok("unpack", "2.tar.zst", "--prefix", "p", *lock).err  # as it is
    assert everything in cli.ok("unpack", "2.tar.zst", "--base", upgrade.new, *lock).err
    for target in (("--base", upgrade.old, "--prefix", "r"), ("--prefix", "r")):
        assert cli("unpack", "2.tar.zst", *target, *lock).code == 10
    kept = next((tmp_path / "q/npm/_cacache/content-v2").rglob("*/*/*/*"))
    cli.ok("unpack", upgrade.new, "--prefix", "s")
    (tmp_path / "s" / kept.relative_to(tmp_path / "q")).write_bytes(b"other bytes")
    assert cli("unpack", "2.tar.zst", "--prefix", "s", *lock).code == 12


def test_a_delta_without_its_base_is_refused(upgrade: Upgrade, cli: Cli, tmp_path: Path) -> None:
    base = upgrade.packed["old"]["id"]
    cases: list[tuple[tuple[str | Path, ...], int, str]] = [
        (("unpack", upgrade.delta, "--prefix", "absent"), 10, base),
        (("unpack", upgrade.delta), 2, "--base"),
        (("unpack", upgrade.delta, "--base", upgrade.new, "--prefix", "x"), 10, "another base"),
        (("unpack", upgrade.delta, "--base", upgrade.delta, "--prefix", "x"), 10, "a delta"),
        (("unpack", upgrade.new, "--base", upgrade.old, "--prefix", "x"), 2, "full bundle"),
        (("run", upgrade.delta, "--", "true"), 10, "this is a delta"),
        (("pack", upgrade.folder / "new", "--base", upgrade.old, "--oci", "image"), 2, "delta"),
    ]
    for command, code, text in cases:
        done = cli(*command)
        assert (done.code, text in done.err) == (code, True), (command, done.err)
    assert not (tmp_path / "absent").exists() and not (tmp_path / "x").exists()
    cli.ok("unpack", upgrade.new, "--prefix", "other")
    (tmp_path / "other/vendorpack.env").write_text("damaged")
    assert cli("unpack", upgrade.delta, "--prefix", "other").code == 10


def test_native_caches_get_base_and_delta(upgrade: Upgrade, tmp_path: Path) -> None:
    caches = []
    for name, command in (
        ("full", ("unpack", upgrade.new)),
        ("both", ("unpack", upgrade.delta, "--base", upgrade.old)),
    ):
        machine = tmp_path / name
        (machine / "home").mkdir(parents=True)
        Cli(machine).ok(*command)
        caches.append(tree(machine / "home"))
    assert caches[0] == caches[1] and len(caches[0]) > COUNT


def test_a_base_that_was_changed_is_refused(upgrade: Upgrade, cli: Cli, tmp_path: Path) -> None:
    cli.ok("unpack", upgrade.old, "--prefix", "p")
    with open_bundle(upgrade.delta, or_delta=True) as delta:
        held = set(delta.files)
        kept = [f for f in delta.manifest.files if f not in held and f.size > 1000]
    victim = tmp_path / "p" / kept[0].path
    good = victim.read_bytes()
    for bad in (good[:-1] + bytes([good[-1] ^ 1]), good + b"x", good[:-1], None):
        victim.unlink()
        if bad is not None:
            victim.write_bytes(bad)
        before = tree(tmp_path / "p")
        done = cli("unpack", upgrade.delta, "--prefix", "p")
        assert done.code == 12 and kept[0].path in done.err
        assert tree(tmp_path / "p") == before
        victim.write_bytes(good)
    cli.ok("unpack", upgrade.delta, "--prefix", "p")


def test_an_upgraded_pack_writes_the_kind_that_is_asked_for(
    upgrade: Upgrade, cli: Cli, tmp_path: Path
) -> None:
    delta = ("pack", upgrade.folder / "new", "--base", upgrade.old, "-o", "d.tar.zst", "--json")
    assert not cli.ok(*delta).json["reused"]
    assert cli.ok(*delta).json["reused"]
    assert (tmp_path / "d.tar.zst").read_bytes() == upgrade.delta.read_bytes()
    full = ("pack", upgrade.folder / "new", "-o", "d.tar.zst", "--json")
    assert not cli.ok(*full).json["reused"]  # a delta is not the bundle
    assert (tmp_path / "d.tar.zst").read_bytes() == upgrade.new.read_bytes()
    assert not cli.ok(*delta).json["reused"]  # nor the other way round
    # Uncompressed it is the same delta.
    plain = cli.ok(*delta[:-3], "-o", "d.tar", "--json").json
    assert plain["id"] == upgrade.packed["new"]["id"]
    cli.ok("unpack", "d.tar", "--base", upgrade.old, "--prefix", "p")
    assert cli.ok("verify", "p", "--json").json["id"] == plain["id"]
    shown = cli.ok("verify", upgrade.delta)
    assert upgrade.packed["old"]["id"] in shown.err


@pytest.mark.parametrize(
    "change",
    [
        {"base": "0" * 63},
        {"files": [1, 0]},
        {"files": [0, 0]},
        {"files": [10**6]},
        {"files": [True]},
        {"files": None},
        {"frames": [1 << 40]},
        {"more": 1},
    ],
)
def test_a_manifest_with_a_bad_delta_is_refused(
    upgrade: Upgrade, change: dict[str, object]
) -> None:
    with open_bundle(upgrade.new) as bundle:
        value = json.loads(bundle.manifest_bytes)
    value["delta"] = {"base": "0" * 64, "files": [0], "frames": [512], **change}
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
    with pytest.raises(BundleError):
        Manifest.parse(text.encode())


# -- reuse ---------------------------------------------------------------------------------


def test_reuse_downloads_only_what_is_new(upgrade: Upgrade, cli: Cli, tmp_path: Path) -> None:
    new = upgrade.folder / "new"
    upgrade.npm.server.requests.clear()
    done = cli.ok("pack", new, "--reuse", upgrade.old, "-o", "r.tar.zst", "--json")
    assert (done.json["from_bundle"], done.json["downloaded"]) == (COUNT - 11, 11)
    assert f"{COUNT - 11} from {upgrade.old}" in done.err
    assert len(upgrade.npm.server.requests) == 11
    assert (tmp_path / "r.tar.zst").read_bytes() == upgrade.new.read_bytes()


def test_reuse_believes_nothing_but_the_lockfile(
    upgrade: Upgrade, cli: Cli, tmp_path: Path
) -> None:
    """An older bundle that was made to claim the digests of other bytes."""
    forged = Cli(tmp_path, "forged-store")
    bad = npm_registry()
    with bad.server:
        bad.lock(tmp_path / "bad", {"p002": "6.6.6"})
        forged.ok("pack", "bad", "-o", "bad.tar", "--json")
        with open_bundle(tmp_path / "bad.tar") as bundle:
            pinned = bundle.manifest.head.artifacts[0]["digests"]
            mtime, own = bundle.manifest.mtime, bundle.manifest_bytes
        with open_bundle(upgrade.old) as bundle:
            wanted = next(
                a["digests"] for a in bundle.manifest.head.artifacts if a["name"] == "p002"
            )
    data = (tmp_path / "bad.tar").read_bytes()
    claimed = own.replace(
        f'"digests":["{pinned[0]}"]'.encode(),  # type: ignore[index]
        f'"digests":["{wanted[0]}"]'.encode(),  # type: ignore[index]
    )
    assert len(claimed) == len(own) and claimed != own
    forged_start = tar.comment(manifest_id(claimed), mtime)
    (tmp_path / "bad.tar").write_bytes(
        forged_start + data[tar.COMMENT_SIZE :].replace(own, claimed)
    )
    done = cli.ok("pack", upgrade.folder / "old", "--reuse", "bad.tar", "-o", "o.tar.zst", "--json")
    assert "it is not p002 1.0.0 as it is pinned; not used" in done.err
    assert done.json["from_bundle"] == 0 and done.json["downloaded"] == COUNT
    assert (tmp_path / "o.tar.zst").read_bytes() == upgrade.old.read_bytes()


def test_an_older_bundle_that_is_unfit_costs_a_warning(
    upgrade: Upgrade, cli: Cli, tmp_path: Path
) -> None:
    data = bytearray(upgrade.old.read_bytes())
    with open_bundle(upgrade.old) as bundle:
        data[bundle.frames[-1].offset + 100] ^= 1
    (tmp_path / "damaged.tar.zst").write_bytes(data)
    (tmp_path / "cut.tar.zst").write_bytes(data[:1000])
    for name in ("damaged", "cut", "absent"):
        shutil.rmtree(tmp_path / "store", ignore_errors=True)
        (tmp_path / "o.tar.zst").unlink(missing_ok=True)
        old, reuse = upgrade.folder / "old", f"{name}.tar.zst"
        done = cli.ok("pack", old, "--reuse", reuse, "-o", "o.tar.zst", "--json")
        assert done.err.count("warning: ") == 1 and reuse in done.err
        assert done.json["downloaded"] == COUNT
    assert (tmp_path / "o.tar.zst").read_bytes() == upgrade.old.read_bytes()


# -- diff ----------------------------------------------------------------------------------


def test_diff(upgrade: Upgrade, cli: Cli) -> None:
    found = cli.ok("diff", upgrade.old, upgrade.new, "--json").json
    assert [change["name"] for change in found["added"]] == ["zz"]
    assert [change["name"] for change in found["removed"]] == ["p001"]
    assert [
        (change["name"], change["old"]["version"], change["new"]["version"])
        for change in found["changed"]
    ] == [(f"p{number:03}", "1.0.0", "1.1.0") for number in range(0, COUNT, 20)]
    assert found["new"]["id"] == upgrade.packed["new"]["id"]
    cli.ok("unpack", upgrade.old, "--prefix", "p")
    lines = cli.ok("diff", "p", upgrade.delta).out.splitlines()
    assert len(lines) == 13 and lines[-1].startswith("1 added, 1 removed, 10 changed; ")
    assert lines[0].split()[:6] == ["~", "npm", "p000", "1.0.0", "->", "1.1.0"]
    table = cli.ok("diff", upgrade.old, upgrade.new, "--markdown").out.splitlines()
    assert table[:2] == [
        "| | format | package | version | licence | hash from | size | growth |",
        "|---|---|---|---|---|---|---|---:|",
    ]
    assert table[2].startswith("| ~ | `npm` | `p000` | `1.0.0 -> 1.1.0` |  | `lockfile` | ")
    assert len(table) == 2 + 12 + 1 + 1 and table[-2:] == ["", lines[-1]]
    assert cli("diff", upgrade.old, upgrade.new, "--markdown", "--json").code == 2
    same = cli.ok("diff", upgrade.new, upgrade.delta).out
    assert same.startswith("0 added, 0 removed, 0 changed; ") and same.count("\n") == 1


def test_a_comment_is_a_table_whatever_the_names_are() -> None:
    hostile = "a|b`c``d @team <img> #1 [x](y)"
    lines = markdown_table(
        [Change("npm", hostile, None, ("1.0", "0" * 64, 3), new_trust="registry")]
    )
    assert lines[2] == (
        "| + | `npm` | ``` a\\|b`c``d @team <img> #1 [x](y) ``` | `1.0` |  | `registry` "
        "| 3 B | +3 B |"
    )
    many = [Change("npm", f"p{number}", None, ("1.0", "0" * 64, 3)) for number in range(5000)]
    long = "\n".join(markdown_table(many))
    assert 55_000 < len(long) < 65_000
    shown = long.count("| + |")
    assert f"\u2026 and {5000 - shown} more" in long
    assert len(markdown_table([])) == 0
