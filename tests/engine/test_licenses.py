"""Licences as packed, shown, permitted and refused: as typed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.cli import Cli
from tests.world.npm import NpmRegistry, npm_registry
from vendorpack.bundle.manifest import Manifest
from vendorpack.errors import LicenseError, UsageError
from vendorpack.license_rules import LicenseRules
from vendorpack.licenses import MAX_LENGTH, declared
from vendorpack.spdx import canonical, parts
from vendorpack.store.local import Store

DECLARED = {"a": "MIT", "b": "GPL-3.0-only", "c": "(MIT OR GPL-3.0)", "d": None}


# -- expressions and rules -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("mit", "MIT"),
        ("(MIT or apache-2.0)", "(MIT OR Apache-2.0)"),
        ("GPL-3.0", "GPL-3.0-only"),
        ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("gpl-2.0 with classpath-exception-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"),
        ("MIT AND (ISC OR Zlib)", "MIT AND (ISC OR Zlib)"),
        ("Apache-2.0+", "Apache-2.0+"),
        ("SEE LICENSE IN X", ""),
        ("UNLICENSED", ""),
        ("MIT AND", ""),
        ("(" * 60 + "MIT" + ")" * 60, ""),
        ("MIT " * 1000, ""),
        ("", ""),
    ],
)
def test_an_expression_has_one_form(text: str, form: str) -> None:
    assert canonical(text) == form


def test_what_is_listed() -> None:
    assert parts("Ruby, bsd-2-clause") == ("Ruby", "BSD-2-Clause")
    assert parts("Some License, Version 2") == () == parts("")


GPL = "GPL-3.0-only"


@pytest.mark.parametrize(
    ("rule", "text", "refused"),
    [
        (GPL, "GPL-3.0-only", True),
        (GPL, "gpl-3.0", True),
        (GPL, "MIT", False),
        (GPL, "MIT OR GPL-3.0-only", False),
        (GPL, "MIT AND GPL-3.0-only", True),
        (GPL, "(MIT AND GPL-3.0) OR ISC", False),
        (GPL, "MIT OR ISC AND GPL-3.0", False),  # AND binds closer
        (GPL, "(MIT OR ISC) AND GPL-3.0", True),
        (GPL, "GPL-3.0 OR GPL-3.0-or-later", True),
        (GPL, "GPL-3.0-or-later", True),
        (GPL, "GPL-3.0-only WITH Autoconf-exception-3.0", True),
        ("GPL-3.0-or-later", "GPL-3.0-only", False),
        ("GPL-3.0+", "GPL-3.0-or-later", True),
        ("GPL-2.0-only", "GPL-2.0-only WITH Classpath-exception-2.0", True),
        ("GPL-2.0 WITH Classpath-exception-2.0", "GPL-2.0-only", False),
        ("Apache-2.0", "Apache-2.0+", True),
        ("*GPL*", "LGPL-3.0-or-later", True),
        ("*gpl*", "MIT OR LGPL-3.0-or-later", False),
        ("GPL-3.0", "MIT, GPL-3.0-only", True),  # only listed
        (GPL, "Dual: GPL-3.0 or commercial", True),  # by a word of it
        ("GPLv3", "GPLv3", True),
        ("BSD License", "BSD License", True),
        ("BSD", "BSD License", True),
        (GPL, "", False),
        ("NONE", "", True),
        ("NONE", "MIT", False),
    ],
)
def test_a_denied_licence(rule: str, text: str, refused: bool) -> None:
    assert LicenseRules.of((), (rule,)).permits(text) is not refused


@pytest.mark.parametrize(
    ("rules", "text", "permitted"),
    [
        ("MIT", "MIT", True),
        ("MIT", "ISC", False),
        ("MIT", "MIT OR GPL-3.0", True),
        ("MIT", "MIT AND GPL-3.0", False),
        ("MIT ISC", "MIT AND ISC", True),
        ("MIT", "MIT, Ruby", False),
        ("MIT", "", False),
        ("MIT NONE", "", True),
        ("GPL-3.0-only", "GPL-3.0-or-later", True),
        ("GPL-3.0-or-later", "GPL-3.0-only", False),
        ("Apache-2.0", "Apache-2.0 WITH LLVM-exception", True),
        ("MIT", "SEE LICENSE IN MIT", False),  # the whole of it is asked for
        ("BSD-*", "BSD-3-Clause", True),
    ],
)
def test_allowed_licences(rules: str, text: str, permitted: bool) -> None:
    assert LicenseRules.of(rules.split(), ()).permits(text) is permitted


def test_denied_beats_allowed_and_no_rule_lets_all_in() -> None:
    assert not LicenseRules.of(("*",), (GPL,)).permits(GPL)
    assert LicenseRules.of(("*",), (GPL,)).permits("MIT OR GPL-3.0")
    assert LicenseRules.of((), ()).permits("")
    with pytest.raises(UsageError, match="several"):
        LicenseRules.of(("MIT OR ISC",), ())


def test_files_out_of_packages_are_not_judged() -> None:
    rules = LicenseRules.of(("MIT",), ())
    rules.check([{"purl": "pkg:golang/x@1#go.mod"}, {"purl": "pkg:npm/a@1", "license": "MIT"}])
    with pytest.raises(LicenseError, match=r"1 artifact is .*: NONE"):
        rules.check([{"purl": "pkg:golang/x@1", "name": "x", "version": "1", "where": "l:1"}])


def test_what_is_declared_is_one_line_of_bounded_length() -> None:
    assert declared(" MIT\n\tOR\x07 \u202eISC\0") == "MIT OR ISC"
    assert declared("x" * MAX_LENGTH) == "x" * MAX_LENGTH
    cut = declared("MIT OR " * MAX_LENGTH)
    assert len(cut) == MAX_LENGTH and cut[-1] == "…" and canonical(cut) == ""


# -- the store -------------------------------------------------------------------------------


def test_a_blob_is_asked_once_and_a_damaged_answer_is_not_believed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = store.keep([b"data"])
    asked = []

    def ask(answer: str, file: BinaryIO) -> str:
        asked.append(file.read())
        return answer

    assert store.said("r-1", blob, partial(ask, "MIT")) == "MIT"
    assert store.said("r-1", blob, partial(ask, "ISC")) == "MIT" and asked == [b"data"]
    assert (
        store.said("r-2", blob, partial(ask, ""))
        == ""
        == store.said("r-2", blob, partial(ask, "x"))
    )
    (path,) = (tmp_path / "v1/said/r-1").glob("*/*")
    good = path.read_bytes()
    for bad in (b"", good[:-2], good.replace(b"MIT", b"ISC"), b"\xff" + good):
        path.write_bytes(bad)
        assert store.said("r-1", blob, partial(ask, "Zlib")) == "Zlib"
    store.prune(0, 2e9)
    assert not [*(tmp_path / "v1/said").glob("*/*/*")]


# -- as typed --------------------------------------------------------------------------------


@pytest.fixture
def npm(tmp_path: Path) -> Iterator[NpmRegistry]:
    """Packages by what they declare, locked in `project`; `free` has what all may use."""
    npm = npm_registry()
    with npm.server:
        for name, license_text in DECLARED.items():
            said = {} if license_text is None else {"license": license_text}
            npm.publish(name, "1.0.0", None, **said)
        npm.lock(tmp_path / "project", dict.fromkeys(DECLARED, "1.0.0"))
        npm.lock(tmp_path / "free", dict.fromkeys("ac", "1.0.0"))
        yield npm


def licenses(shown: Mapping[str, Any]) -> dict[str, str | None]:
    return {a["name"]: a.get("license") for a in shown["artifacts"]}


def test_the_manifest_has_them_and_all_that_is_made_of_it(npm: NpmRegistry, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.ok("pack", "project")
    shown = cli.ok("show", "deps.tar.zst", "--json").json
    assert licenses(shown) == DECLARED
    rows = {line.split()[0]: line for line in cli.ok("show", "deps.tar.zst").out.splitlines()}
    assert "GPL-3.0-only" in rows["b"] and "(MIT OR GPL-3.0)" in rows["c"]
    found = {
        c["name"]: c.get("licenses") for c in cli.ok("sbom", "deps.tar.zst").json["components"]
    }
    said = {"acknowledgement": "declared"}
    assert found["c"] == [{"expression": "(MIT OR GPL-3.0-only)", **said}] and found["d"] is None
    document = cli.ok("sbom", "deps.tar.zst", "--format", "spdx").json
    spdx = {p["name"]: p["licenseDeclared"] for p in document["packages"]}
    assert (spdx["b"], spdx["d"]) == ("GPL-3.0-only", "NOASSERTION")
    assert "hasExtractedLicensingInfos" not in document


def test_warm_and_cold_packs_say_the_same(npm: NpmRegistry, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    first = cli.ok("pack", "project", "-o", "1.tar.zst").out.split()[-1]
    npm.packages.clear()  # from the store alone
    assert cli.ok("pack", "project", "-o", "2.tar.zst").out.split()[-1] == first
    # A store of a time when nobody asked.
    shutil.rmtree(next(tmp_path.rglob("v1/said")))
    assert cli.ok("pack", "project", "-o", "3.tar.zst").out.split()[-1] == first


def test_what_is_denied_is_not_packed(npm: NpmRegistry, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    done = cli("pack", "project", "--deny-license", "GPL-3.0-only")
    assert done.code == 16 and "package-lock.json:" in done.err and "b 1.0.0 (GPL" in done.err
    assert "c 1.0.0" not in done.err  # one may choose MIT
    assert not (tmp_path / "deps.tar.zst").exists()
    cli.ok("pack", "free", "--deny-license", "GPL-3.0-only")
    done = cli("pack", "project", "--allow-license", "MIT", "--allow-license", "*GPL*")
    assert done.code == 16 and "d 1.0.0 (declares none)" in done.err
    rules = [word for name in ("MIT", "*GPL*", "NONE") for word in ("--allow-license", name)]
    cli.ok("pack", "project", *rules)


def test_a_bundle_that_is_there_is_judged_too(npm: NpmRegistry, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.ok("pack", "project")
    before = (tmp_path / "deps.tar.zst").read_bytes()
    assert cli("pack", "project", "--deny-license", "GPL-3.0").code == 16
    assert (tmp_path / "deps.tar.zst").read_bytes() == before
    done = cli("verify", "deps.tar.zst", "--deny-license", "GPL-3.0", "--json")
    assert done.code == 16 and done.json["exit_code"] == 16
    cli.ok("verify", "deps.tar.zst", "--deny-license", "AGPL-*")
    cli.ok("unpack", "deps.tar.zst", "--prefix", "deps")
    assert cli("verify", "deps", "--allow-license", "MIT").code == 16
    done = cli("verify", "deps.tar.zst", "--deny-license", "MIT AND ISC")
    assert done.code == 2 and "several licences" in done.err


def test_what_changed(npm: NpmRegistry, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.ok("pack", "free", "-o", "old.tar.zst")
    npm.publish("a", "2.0.0", license="BUSL-1.1")
    npm.lock(tmp_path / "new", {"a": "2.0.0", "b": "1.0.0", "c": "1.0.0"})
    cli.ok("pack", "new", "-o", "new.tar.zst")
    assert "MIT -> BUSL-1.1" in cli.ok("diff", "old.tar.zst", "new.tar.zst").out
    table = cli.ok("diff", "old.tar.zst", "new.tar.zst", "--markdown").out
    assert "| `MIT -> BUSL-1.1` |" in table and "| `GPL-3.0-only` |" in table
    (changed,) = cli.ok("diff", "old.tar.zst", "new.tar.zst", "--json").json["changed"]
    assert (changed["old"]["license"], changed["new"]["license"]) == ("MIT", "BUSL-1.1")


def test_a_bundle_from_before_licences_is_read(npm: NpmRegistry, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.ok("pack", "free")
    cli.ok("unpack", "deps.tar.zst", "--prefix", "deps")
    path = tmp_path / "deps" / "vendorpack.json"
    manifest = Manifest.parse(path.read_bytes())
    records = [{k: v for k, v in a.items() if k != "license"} for a in manifest.head.artifacts]
    older = replace(manifest, head=replace(manifest.head, artifacts=tuple(records)))
    path.write_bytes(older.dump())
    cli.ok("verify", "deps", "--deny-license", "MIT")
    assert cli("verify", "deps", "--allow-license", "MIT").code == 16
    assert set(licenses(cli.ok("show", "deps", "--json").json).values()) == {None}
    assert "->" not in cli.ok("diff", "deps", "deps.tar.zst").out.splitlines()[0].partition(";")[0]


def test_words_that_are_no_expression_are_referred_to(npm: NpmRegistry, tmp_path: Path) -> None:
    npm.publish("w", "1.0.0", license="Ask <me>")
    npm.lock(tmp_path / "words", {"w": "1.0.0"})
    cli = Cli(tmp_path)
    cli.ok("pack", "words")
    document = cli.ok("sbom", "deps.tar.zst", "--format", "spdx").json
    (info,) = document["hasExtractedLicensingInfos"]
    assert info["extractedText"] == "Ask <me>" and info["licenseId"].startswith("LicenseRef-")
    assert info["licenseId"] in [p["licenseDeclared"] for p in document["packages"]]
    (component,) = cli.ok("sbom", "deps.tar.zst").json["components"]
    assert component["licenses"] == [
        {"license": {"name": "Ask <me>", "acknowledgement": "declared"}}
    ]
