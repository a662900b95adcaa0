"""The go that a project names, carried as a module."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.memory import Documents
from tests.world.modules import h1, project
from tests.world.sumdb import NAME, SumDatabase
from vendorpack.boundary import Boundary, foreign
from vendorpack.errors import (
    FetchError,
    IntegrityError,
    LockfileError,
    UnsupportedError,
    UsageError,
)
from vendorpack.formats import boundary_of
from vendorpack.formats.gomod import FORMAT
from vendorpack.model import Blob, Environment, Lockfile, Options, Packed, Target, Trust, Variable
from vendorpack.room import Answer

HASH = h1({"go": b"go"})
ASKED = {"gomod-toolchain": "yes"}
LINUX, ARM_MAC = Target("linux", "x86_64", "gnu"), Target("macos", "aarch64")
RECORD = f"""golang.org/toolchain v0.0.1-go1.27.3.linux-amd64 {HASH}
golang.org/toolchain v0.0.1-go1.27.3.linux-amd64/go.mod {h1({"go.mod": b""})}
"""


class Database(Documents):
    """The checksum database behind the proxies."""

    def __init__(self, answers: Mapping[str, bytes]) -> None:
        self.answers = answers

    async def get(self, url: str, *, accept: str = "*/*", max_size: int = 64 << 20) -> Answer:
        if url not in self.answers:
            raise FetchError("not found", where=url, status=404)
        return Answer(self.answers[url], "text/plain", url)


def read(
    folder: Path,
    lines: str,
    targets: tuple[Target, ...] = (LINUX,),
    environ: Mapping[str, str] | None = None,
    name: str = "go.mod",
) -> Lockfile:
    head = "module app\n" if name == "go.mod" else ""
    files = {name: f"{head}{lines}\n"}
    return FORMAT.read(project(folder / "p", files, environ), Options(targets, extra=ASKED))


@pytest.mark.parametrize(
    ("lines", "version"),
    [
        ("go 1.27.0\ntoolchain go1.27.3", "go1.27.3"),
        ("go 1.27.3", "go1.27.3"),
        ("go 1.28\ntoolchain go1.28rc1", "go1.28rc1"),
        ("go 1.27.3\ntoolchain go1.27.1", "go1.27.3"),
        ("go 1.27.3\ntoolchain default", "go1.27.3"),
        ("go 1.9\ntoolchain go1.10.0", "go1.10.0"),
        ("go 1.28rc1\ntoolchain go1.28rc2", "go1.28rc2"),
        ("go 1.28beta2\ntoolchain go1.28rc1", "go1.28rc1"),
        ("go 1.28.0\ntoolchain go1.28rc1", "go1.28.0"),
    ],
)
def test_the_newer_of_both_lines_is_carried(tmp_path: Path, lines: str, version: str) -> None:
    for name in ("go.mod", "go.work"):
        lockfile = read(tmp_path / name, lines, name=name)
        assert [str(a) for a in lockfile.artifacts] == [
            f"golang.org/toolchain v0.0.1-{version}.linux-amd64"
        ]
        assert lockfile.warnings == ()


def test_one_for_each_platform(tmp_path: Path) -> None:
    targets = (ARM_MAC, LINUX, Target("linux", "x86_64", "musl"))
    lockfile = read(tmp_path, "go 1.27.3", targets)
    assert [a.version.rpartition(".")[2] for a in lockfile.artifacts] == [
        "darwin-arm64",
        "linux-amd64",
    ]
    app = project(tmp_path / "p", {"go.mod": "module app\ngo 1.27.3\n"})
    assert FORMAT.fingerprint(app, Options(targets)) == {}
    assert FORMAT.fingerprint(app, Options(targets, extra=ASKED)) == {
        "toolchain": ["darwin-arm64", "linux-amd64"]
    }


@pytest.mark.parametrize("lines", ["go 1.27", "toolchain go1.27.3-custom", "toolchain local"])
def test_what_is_no_release_is_refused(tmp_path: Path, lines: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        read(tmp_path, lines)
    assert caught.value.where == "go.mod:2"


def test_what_cannot_be_meant(tmp_path: Path) -> None:
    with pytest.raises(LockfileError, match="no toolchain"):
        read(tmp_path, "")
    with pytest.raises(UsageError, match="all-targets"):
        read(tmp_path, "go 1.27.3", ())
    app = project(tmp_path / "p", {"go.mod": "module app\n"})
    with pytest.raises(UsageError, match="maybe"):
        FORMAT.read(app, Options(extra={"gomod-toolchain": "maybe"}))


def answers(base: str, database: SumDatabase) -> dict[str, bytes]:
    """What a database answers behind a proxy."""
    return {f"{base}/sumdb/{NAME}/{path}": data for path, data in database.documents.items()}


def locate(lockfile: Lockfile, answers: Mapping[str, bytes]) -> Lockfile:
    return asyncio.run(FORMAT.locate(lockfile, Options((LINUX,), extra=ASKED), Database(answers)))


def test_the_checksum_database_has_the_hash(tmp_path: Path) -> None:
    database = SumDatabase(["a.example/a v1.0.0 h1:x\n", RECORD])
    both = {"GOPROXY": "https://one.example,https://two.example/go", "GOSUMDB": database.gosumdb}
    lockfile = read(tmp_path, "go 1.27.3", environ=both)
    (due,) = lockfile.artifacts
    assert FORMAT.asks_for_hash(due)
    (found,) = locate(lockfile, answers("https://two.example/go", database)).artifacts
    assert [base64.b64encode(one.value).decode() for one in found.integrity.digests] == [HASH[3:]]
    assert found.trust is Trust.REGISTRY
    assert not FORMAT.asks_for_hash(found)


def test_the_database_itself_where_no_proxy_has_it(tmp_path: Path) -> None:
    database = SumDatabase([RECORD])
    for url, at in (
        ("", f"https://{NAME}"),
        (" https://sums.own.example/db", "https://sums.own.example/db"),
    ):
        environ = {"GOSUMDB": f"{database.gosumdb}{url}"}
        lockfile = read(tmp_path / at[-2:], "go 1.27.3", environ=environ)
        assert any(at.startswith(origin) for origin in lockfile.access.origins)
        documents = {f"{at}/{path}": data for path, data in database.documents.items()}
        assert locate(lockfile, documents).artifacts[0].integrity


@pytest.mark.parametrize(
    "record",
    [RECORD.replace("h1:", "h2:"), RECORD.replace(HASH, "h1:short"), RECORD.split("\n")[1] + "\n"],
)
def test_no_hash_is_no_toolchain(tmp_path: Path, record: str) -> None:
    database = SumDatabase([record])
    lockfile = read(tmp_path, "go 1.27.3", environ={"GOSUMDB": database.gosumdb})
    documents = answers("https://proxy.golang.org", database)
    documents = {url.replace("/go.mod", ""): data for url, data in documents.items()}
    with pytest.raises(FetchError, match="no hash"):
        locate(lockfile, documents)
    with pytest.raises(FetchError, match="not found"):
        locate(lockfile, {})


@pytest.mark.parametrize("by", ["another key", "another tree"])
def test_an_answer_that_is_not_the_databases(tmp_path: Path, by: str) -> None:
    database = SumDatabase([RECORD], forged=by == "another tree")
    trusted = "sum.golang.org" if by == "another key" else database.gosumdb
    lockfile = read(tmp_path, "go 1.27.3", environ={"GOSUMDB": trusted})
    documents = answers("https://proxy.golang.org", database)
    documents = {url.replace(NAME, trusted.partition("+")[0]): d for url, d in documents.items()}
    with pytest.raises(IntegrityError, match="not to be believed"):
        locate(lockfile, documents)


def test_variables(tmp_path: Path) -> None:
    names = {one.name: one for one in FORMAT.environment(()).variables}
    assert names["GOTOOLCHAIN"] == Variable("GOTOOLCHAIN", "local")
    assert names["GOPROXY"] == Variable("GOPROXY", "off")
    (due,) = read(tmp_path, "go 1.27.3").artifacts
    names = {
        one.name: one for one in FORMAT.environment((Packed(due, Blob("0" * 64, 1)),)).variables
    }
    assert names["GOTOOLCHAIN"] == Variable("GOTOOLCHAIN", "auto")
    assert names["GOPROXY"].scheme == "file://"
    assert foreign(boundary_of("gomod") or Boundary(), Environment(tuple(names.values()))) is None
