"""`--max-size`: what no lockfile sizes ends there, while it streams, and nothing of it stays."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.world import Reply, Server
from tests.world.npm import sri, tarball

BODY = tarball("a", "1.0.0") + os.urandom(4096)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({"/a/-/a-1.0.0.tgz": Reply(BODY)}) as server:
        yield server


def project(folder: Path, server: Server, data: bytes = BODY) -> Cli:
    (folder / "project").mkdir(parents=True)
    (folder / "project/package-lock.json").write_text(
        '{"lockfileVersion": 3, "packages": {"": {}, "node_modules/a": {"version": "1.0.0", '
        f'"resolved": "{server.url}/a/-/a-1.0.0.tgz", "integrity": "{sri(data)}"}}}}}}'
    )
    return Cli(folder)


def left(folder: Path) -> list[str]:
    """What a failed run leaves, but for folders and notes of the store's own."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(p) for p in files if p.suffix in (".part", ".zst") or p.stat().st_size > 1000]


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "endless"])
def test_more_than_that_is_not_taken(server: Server, tmp_path: Path, declared: bool) -> None:
    if not declared:  # no Content-Length: only the stream itself tells
        server._routes = {"/a/-/a-1.0.0.tgz": Reply(BODY, length=-1)}
    cli = project(tmp_path, server)
    packing = ("pack", "project", "-o", "deps.tar.zst", "--allow-host", server.url)
    done = cli(*packing, "--max-size", "1K")
    assert done.code == 7 and "larger than 1,024 bytes" in done.err and "--max-size" in done.err
    assert left(tmp_path) == []
    assert len(server.requests) == 1, "it is not asked again"
    if declared:
        cli.ok(*packing, "--max-size", str(len(BODY)))
        assert cli(*packing, "--max-size", "0").code == 2
        assert cli(*packing, "--max-size", "much").code == 2


def test_an_endless_answer_costs_no_more_than_the_cap(server: Server, tmp_path: Path) -> None:
    size = 64 << 20
    server._routes = {"/a/-/a-1.0.0.tgz": Reply(bytes(size), length=1 << 50, cut=size)}
    cli = project(tmp_path, server)
    done = cli("pack", "project", "--allow-host", server.url, "--max-size", "1M")
    assert done.code == 7 and left(tmp_path) == []
    assert hashlib.sha256(BODY).hexdigest() not in done.out
