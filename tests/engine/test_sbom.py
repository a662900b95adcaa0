"""sbom and provenance, as typed, and what becomes of each kind of artifact in them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli import Cli
from tests.world.npm import npm_registry
from vendorpack.bundle.manifest import Head, LockfileHash, Manifest
from vendorpack.model import Environment
from vendorpack.sbom.cyclonedx import cyclonedx
from vendorpack.sbom.packages import packages_of
from vendorpack.sbom.provenance import provenance
from vendorpack.sbom.spdx import spdx


def sri(algorithm: str, text: str) -> str:
    digest = hashlib.new(algorithm, text.encode()).digest()
    return f"{algorithm}-{base64.b64encode(digest).decode()}"


def artifact(purl: str, name: str, **more: Any) -> dict[str, Any]:
    content = more.pop("content", purl)
    return {
        "digests": [sri("sha256", content)],
        "format": "npm",
        "name": name,
        "purl": purl,
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
        "size": len(content),
        "trust": "lockfile",
        "url": f"https://registry.test/{name}.tgz",
        "version": "1.0",
        "where": "package-lock.json:3",
        "why": [],
        **more,
    }


ARTIFACTS = (
    artifact("pkg:npm/%40s/a@1.0", "@s/a", digests=[sri("sha512", "a")], why=["dev"]),
    # The same file again, by another format's lockfile.
    artifact("pkg:npm/%40s/a@1.0", "@s/a", format="pnpm", where="p/pnpm-lock.yaml:9"),
    # Two files of a release, each with the hashes of both.
    *(
        artifact(
            "pkg:pypi/n@1.0",
            "n",
            content=file,
            digests=[sri("sha256", "wheel"), sri("sha256", "sdist")],
            url=f"https://index.test/n 1.0/{file}",
            format="pip",
            why=["build"],
        )
        for file in ("wheel", "sdist")
    ),
    artifact(
        "pkg:golang/m.test/x@v1", "m.test/x", digests=[sri("md5", "x"), "h1-" + "A" * 43 + "="]
    ),
    artifact("pkg:golang/m.test/x@v1#go.mod", "m.test/x"),
    artifact("pkg:maven/org.test/j@1.0", "org.test:j", why=["optional"], trust="first-use"),
    artifact("pkg:cargo/g@1.0", "g", url="git+https://git.test/g.git#" + "0" * 40, digests=[]),
    artifact("pkg:gem/none@1.0", "none", url=None),
)


@pytest.fixture
def manifest() -> Manifest:
    locks = (LockfileHash("package-lock.json", "npm", "0" * 64),)
    head = Head("1" * 64, locks, {"npm": 1}, {}, ARTIFACTS, Environment())
    return Manifest(head, 315619200, (), ())


def by_name(document: dict[str, Any], key: str) -> dict[str, Any]:
    return {f"{c.get('group', '')}|{c['name']}|{c.get('type', '')}": c for c in document[key]}


def facts(component: dict[str, Any]) -> list[tuple[str, str]]:
    return [(p["name"].removeprefix("vendorpack:"), p["value"]) for p in component["properties"]]


def test_cyclonedx(manifest: Manifest) -> None:
    document = cyclonedx(manifest, "2" * 64)
    found = by_name(document, "components")
    assert list(found) == [
        "|g|library",
        "|none|library",
        "m.test|x|library",
        "m.test|x|file",
        "org.test|j|library",
        "@s|a|library",
        "|n|library",
    ]
    scoped = found["@s|a|library"]
    assert scoped["scope"] == "required"  # for one of the two lockfiles
    assert scoped["purl"] == scoped["bom-ref"] == "pkg:npm/%40s/a@1.0"
    assert {h["alg"]: h["content"] for h in scoped["hashes"]} == {
        "SHA-256": ARTIFACTS[0]["sha256"],
        "SHA-512": hashlib.sha512(b"a").hexdigest(),
    }
    assert ("pinned-at", "p/pnpm-lock.yaml:9") in facts(scoped)
    assert ("pinned-at", "package-lock.json:3") in facts(scoped)

    release = found["|n|library"]
    assert release["scope"] == "excluded" and "hashes" not in release
    assert {r["url"]: r["hashes"][0]["content"] for r in release["externalReferences"]} == {
        f"https://index.test/n%201.0/{file}": hashlib.sha256(file.encode()).hexdigest()
        for file in ("wheel", "sdist")
    }
    assert not [value for name, value in facts(release) if name == "lockfile-digest"]

    module, part = found["m.test|x|library"], found["m.test|x|file"]
    assert [h["alg"] for h in module["hashes"]] == ["MD5", "SHA-256"]
    assert ("lockfile-digest", "h1-" + "A" * 43 + "=") in facts(module)
    assert "purl" not in part and part["bom-ref"] != module["bom-ref"]

    assert found["org.test|j|library"]["scope"] == "optional"
    assert ("hash-from", "first-use") in facts(found["org.test|j|library"])
    assert found["|g|library"]["externalReferences"][0]["type"] == "vcs"
    assert "externalReferences" not in found["|none|library"]

    refs = [component["bom-ref"] for component in document["components"]]
    assert len(set(refs)) == len(refs)
    # Nothing is said of who asks for whom, and so nothing is complete.
    root = document["metadata"]["component"]["bom-ref"]
    assert document["dependencies"] == [{"ref": root, "dependsOn": []}]
    assert document["compositions"] == [{"aggregate": "incomplete", "dependencies": [root, *refs]}]
    assert "timestamp" not in document["metadata"]


def graph(*parts: dict[str, Any]) -> Manifest:
    """A manifest of `a`, `b`, `c` … in the order of what is said of them."""
    records = [
        artifact(f"pkg:npm/{name}@1.0", name, **part)
        for name, part in zip("abcdef", parts, strict=False)
    ]
    return Manifest(Head("1" * 64, (), {}, {}, tuple(records), Environment()), 315619200, (), ())


def test_the_graph() -> None:
    """`d` is in two lockfiles, of which one says nothing; `c` has two files."""
    said = graph(
        {"requires": [1, 2], "direct": True},
        {"requires": [0], "direct": False},
        {"requires": [], "direct": False},
        {"direct": True},
    )
    again = [
        artifact("pkg:npm/c@1.0", "c", content="other", requires=[1], direct=False),
        artifact("pkg:npm/d@1.0", "d", format="pnpm", requires=[2], direct=False),
    ]
    said = replace(said, head=replace(said.head, artifacts=(*said.head.artifacts, *again)))
    document = cyclonedx(said, "2" * 64)
    root = document["metadata"]["component"]["bom-ref"]
    a, b, c, d = (f"pkg:npm/{name}@1.0" for name in "abcd")
    assert document["dependencies"] == [
        {"ref": root, "dependsOn": [a, d]},
        {"ref": a, "dependsOn": [b, c]},
        {"ref": b, "dependsOn": [a]},
        {"ref": c, "dependsOn": [b]},
        {"ref": d, "dependsOn": [c]},
    ]
    assert document["compositions"] == [
        {"aggregate": "complete", "dependencies": [root, a, b, c]},
        {"aggregate": "incomplete", "dependencies": [d]},
    ]

    document = spdx(said, "2" * 64)
    names = {p["SPDXID"]: p["name"] for p in document["packages"]}
    asked = [
        (names[r["spdxElementId"]], names.get(r["relatedSpdxElement"], r["relatedSpdxElement"]))
        for r in document["relationships"]
        if r["relationshipType"] == "DEPENDS_ON"
    ]
    assert sorted(asked) == [
        ("a", "b"),
        *[("a", "c")] * 2,
        ("b", "a"),
        *[("bundle", "a"), ("bundle", "d")],
        *[("c", "b")] * 2,
        ("d", "NOASSERTION"),
        *[("d", "c")] * 2,
    ]


@pytest.mark.parametrize("odd", [None, 3, "1", [None, "1", -1, 99, True], [[0]], {"0": 1}])
def test_a_graph_that_is_none_is_no_traceback(odd: Any) -> None:
    for write in (cyclonedx, spdx, provenance):
        assert json.dumps(write(graph({"requires": odd, "direct": odd}), "2" * 64))


def test_spdx(manifest: Manifest) -> None:
    document = spdx(manifest, "2" * 64)
    packages = {p["SPDXID"]: p for p in document["packages"]}
    assert len(packages) == len(document["packages"]) == 1 + 8  # the bundle, and each file
    assert document["creationInfo"]["created"] == "1980-01-02T00:00:00Z"
    (scoped,) = (p for p in packages.values() if p["name"] == "@s/a")
    assert scoped["sourceInfo"].startswith(
        "pinned at: p/pnpm-lock.yaml:9, package-lock.json:3; hash from: lockfile"
    )
    assert {c["algorithm"] for c in scoped["checksums"]} == {"SHA256", "SHA512"}
    (commit,) = (p for p in packages.values() if p["name"] == "g")
    assert commit["downloadLocation"] == "git+https://git.test/g.git@" + "0" * 40
    (unknown,) = (p for p in packages.values() if p["name"] == "none")
    assert unknown["downloadLocation"] == "NOASSERTION"
    said = [
        (packages[r["spdxElementId"]]["name"], r["relationshipType"])
        for r in document["relationships"]
        if r["relatedSpdxElement"] == "SPDXRef-Bundle" and r["relationshipType"] != "DESCRIBES"
    ]
    assert sorted(said) == [
        ("n", "BUILD_DEPENDENCY_OF"),
        ("n", "BUILD_DEPENDENCY_OF"),
        ("org.test:j", "OPTIONAL_DEPENDENCY_OF"),
    ]
    contained = [r["relatedSpdxElement"] for r in document["relationships"][1:]]
    assert set(packages) - {"SPDXRef-Bundle"} <= set(contained)


def test_provenance(manifest: Manifest) -> None:
    statement = provenance(manifest, "2" * 64)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": "vendorpack.json", "digest": {"sha256": "2" * 64}}]
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    definition = statement["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["key"] == "1" * 64
    lock, *found = definition["resolvedDependencies"]
    assert lock == {"name": "package-lock.json", "digest": {"sha256": "0" * 64}}
    assert sorted({d["digest"]["sha256"] for d in found}) == sorted(
        {record["sha256"] for record in ARTIFACTS}
    )
    (scoped,) = (d for d in found if d["uri"] == "pkg:npm/%40s/a@1.0")
    assert scoped["digest"]["sha512"] == hashlib.sha512(b"a").hexdigest()
    assert scoped["downloadLocation"] == "https://registry.test/@s/a.tgz"
    assert scoped["annotations"]["hash-from"] == ["lockfile"]


def test_the_order_of_artifacts_does_not_matter(manifest: Manifest) -> None:
    assert packages_of(ARTIFACTS) == packages_of(ARTIFACTS[::-1])


def test_what_is_no_artifact_as_ours_is_no_traceback(manifest: Manifest) -> None:
    """A manifest may have any objects as artifacts."""
    odd: tuple[dict[str, Any], ...] = (
        {},
        {"digests": ["x", "sha512-?", "sha512-AAAA", 3], "size": "1", "why": {}, "url": 3},
        {"purl": "pkg:", "name": "@", "url": "<not a URL>"},
    )
    for write in (cyclonedx, spdx, provenance):
        head = Head("1" * 64, (), {}, {}, odd, Environment())
        assert json.dumps(write(Manifest(head, 0, (), ()), "2" * 64))


# -- as typed ------------------------------------------------------------------------------


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    npm = npm_registry()
    with npm.server:
        npm.lock(tmp_path / "project", {"a": "1.0.0", "b": "2.0.0"})
        Cli(tmp_path).ok("pack", "project")
    Cli(tmp_path).ok("unpack", "deps.tar.zst", "--prefix", "deps")
    return Cli(tmp_path)


@pytest.mark.parametrize("form", ["cyclonedx", "spdx"])
def test_the_same_from_a_file_a_folder_and_a_pipe(cli: Cli, form: str) -> None:
    done = cli.ok("sbom", "deps.tar.zst", "--format", form)
    assert "pkg:npm/a@1.0.0" in done.out and done.err == ""
    cli.ok("sbom", "deps", "--format", form, "-o", "made.json")
    assert (cli.folder / "made.json").read_text() == done.out
    other = Cli(cli.folder, environ={"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"}, umask=0o077)
    assert other.ok("sbom", "deps.tar.zst", "--format", form, "-o", "-").out == done.out
    fifo = cli.folder / "fifo"
    os.mkfifo(fifo)
    process = cli.start("sbom", "deps.tar.zst", "--format", form, "-o", fifo)
    assert fifo.read_text() == done.out
    process.communicate()
    assert process.returncode == 0


def test_what_it_says_is_what_the_bundle_says(cli: Cli) -> None:
    shown = cli.ok("show", "deps.tar.zst", "--json").json
    document = cli.ok("sbom", "deps.tar.zst").json
    assert (
        dict(facts(document["metadata"]["component"] | document["metadata"]))["id"] == shown["id"]
    )
    records = {record["purl"]: record for record in shown["artifacts"]}
    components = {component["purl"]: component for component in document["components"]}
    assert components.keys() == records.keys() and len(records) == 2
    for purl, component in components.items():
        record = records[purl]
        assert {"alg": "SHA-256", "content": record["sha256"]} in component["hashes"]
        assert component["externalReferences"][0]["url"] == record["url"]
        assert ("pinned-at", record["where"]) in facts(component)
        assert ("hash-from", "lockfile") in facts(component)


def test_provenance_as_typed(cli: Cli) -> None:
    done = cli.ok("provenance", "deps.tar.zst")
    shown = cli.ok("show", "deps.tar.zst", "--json").json
    assert done.json["subject"][0]["digest"]["sha256"] == shown["id"]
    cli.ok("provenance", "deps", "-o", "made.json")
    assert (cli.folder / "made.json").read_text() == done.out
    manifest = (cli.folder / "deps" / "vendorpack.json").read_bytes()
    assert hashlib.sha256(manifest).hexdigest() == shown["id"]


def test_what_is_refused(cli: Cli) -> None:
    done = cli("sbom", "deps.tar.zst", "--format", "swid")
    assert done.code == 2 and "--format cyclonedx" in done.err
    assert cli("sbom", "deps.tar.zst", "-o", "deps").code == 2
    assert cli("sbom", "deps.tar.zst", "-o", "nowhere/x.json").code == 9
    (cli.folder / "no.tar.zst").write_bytes(b"no")
    (cli.folder / "kept.json").write_text("kept")
    assert cli("sbom", "no.tar.zst", "-o", "kept.json").code == 10
    assert (cli.folder / "kept.json").read_text() == "kept"
