"""Who asks for whom: what several lockfiles say together, and what the manifest has of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli import Cli
from tests.world.npm import NpmRegistry
from vendorpack.bundle.manifest import Manifest
from vendorpack.graph import merged_graph
from vendorpack.model import Graph

NOTHING: frozenset[str] = frozenset()


def some(*purls: str) -> frozenset[str]:
    return frozenset(purls)


def test_together() -> None:
    one = Graph({"a": some("b"), "b": NOTHING}, some("a"))
    other = Graph({"a": some("c")}, some("c"))
    both = Graph({"a": some("b", "c"), "b": NOTHING}, some("a", "c"))
    assert merged_graph([one, other]) == both
    assert merged_graph([None, None]) is None and merged_graph([]) is None
    # What the project asks for is known only if all its lockfiles say it.
    assert merged_graph([one, None]) == Graph(one.requires)
    assert merged_graph([one, Graph({"c": NOTHING})]) == Graph({**one.requires, "c": NOTHING})


def test_of_nodes() -> None:
    """Nodes that are no packages, and packages that are several nodes."""
    edges = {1: [2, 3], 2: [1, 9], 3: [], 4: [1], 5: [2], 0: [4, 1]}
    purls = {1: "a", 2: ("b", "b?x"), 4: "a", 5: "c", 6: "d"}
    made = Graph.of(edges, purls, [0])
    assert made == Graph(
        {"a": some("b", "b?x"), "b": some("a"), "b?x": some("a"), "c": some("b", "b?x")}, some("a")
    )
    assert Graph.of(edges, purls, None).direct is None
    assert Graph.of(edges, purls, []).direct == NOTHING


def asking(npm: NpmRegistry, folder: Path, packages: dict[str, str], **asks: list[str]) -> Path:
    """A project whose lockfile says who asks for whom; `project` asks for what it is given."""
    npm.lock(folder, packages)
    path = folder / "package-lock.json"
    lock = json.loads(path.read_text())
    for name, others in asks.items():
        key = "" if name == "project" else f"node_modules/{name}"
        lock["packages"].setdefault(key, {})["dependencies"] = dict.fromkeys(others, "*")
    path.write_text(json.dumps(lock, indent=2))
    return folder


def manifest(cli: Cli, *projects: Path, options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    cli.ok("pack", *projects, *options)
    found = cli.ok("show", "deps.tar.zst", "--json").json["artifacts"]
    assert isinstance(found, list)
    return found


def shown(records: list[dict[str, Any]]) -> dict[str, tuple[list[str], bool]]:
    names = [f"{record['name']}{record['version'][0]}" for record in records]
    return {
        name: ([names[index] for index in record["requires"]], record["direct"])
        for name, record in zip(names, records, strict=True)
    }


def test_of_a_project(npm: NpmRegistry, tmp_path: Path) -> None:
    packages = {"a": "1.0.0", "b": "1.0.0", "c": "1.0.0"}
    project = asking(npm, tmp_path / "one", packages, project=["a"], a=["b", "c"], b=["a"])
    cli = Cli(tmp_path)
    records = manifest(cli, project)
    assert shown(records) == {
        "a1": (["b1", "c1"], True),
        "b1": (["a1"], False),
        "c1": ([], False),
    }
    first = (tmp_path / "deps.tar.zst").read_bytes()
    other = Cli(tmp_path, store="other", environ={"PYTHONHASHSEED": "3"})
    other.ok("pack", project, "-o", "again.tar.zst")
    assert (tmp_path / "again.tar.zst").read_bytes() == first


def test_of_two_projects(npm: NpmRegistry, tmp_path: Path) -> None:
    """A package that two lockfiles resolve in two ways asks for both."""
    one = asking(npm, tmp_path / "one", {"a": "1.0.0", "b": "1.0.0"}, project=["a"], a=["b"])
    two = asking(npm, tmp_path / "two", {"a": "1.0.0", "b": "2.0.0"}, project=["b"], a=["b"])
    assert shown(manifest(Cli(tmp_path), one, two)) == {
        "a1": (["b1", "b2"], True),
        "b1": ([], False),
        "b2": ([], True),
    }


def test_without_what_is_left_out(npm: NpmRegistry, tmp_path: Path) -> None:
    packages = {"a": "1.0.0", "b": "1.0.0"}
    project = asking(npm, tmp_path / "one", packages, project=["a"], a=["b"])
    records = manifest(Cli(tmp_path), project, options=("--exclude", "b"))
    assert shown(records) == {"a1": ([], True)}


def test_a_bundle_without_it_is_read(npm: NpmRegistry, tmp_path: Path) -> None:
    """As those of the first versions are."""
    project = asking(npm, tmp_path / "one", {"a": "1.0.0"}, project=["a"])
    cli = Cli(tmp_path)
    cli.ok("pack", project)
    cli.ok("unpack", "deps.tar.zst", "--prefix", "deps")
    path = tmp_path / "deps/vendorpack.json"
    value = json.loads(path.read_text())
    for record in value["artifacts"]:
        del record["requires"], record["direct"]
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
    assert Manifest.parse(text.encode()).head.artifacts[0].get("requires") is None
    path.write_text(text)
    document = cli.ok("sbom", "deps").json
    root = document["metadata"]["component"]["bom-ref"]
    assert document["compositions"] == [
        {"aggregate": "incomplete", "dependencies": [root, "pkg:npm/a@1.0.0"]}
    ]
