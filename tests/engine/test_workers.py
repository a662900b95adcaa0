"""Processes that wait for calls: their answers, their errors, their death."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from vendorpack.digest import Digest, Integrity
from vendorpack.errors import IntegrityError, LockfileError, StoreError
from vendorpack.fetch.artifacts import Fetcher
from vendorpack.fetch.http import Client
from vendorpack.fetch.part import Download
from vendorpack.formats.gomod import FORMAT as GO
from vendorpack.model import Artifact
from vendorpack.parallel import Workers
from vendorpack.room import Keep
from vendorpack.store.local import Store

CALLS = """
import os, signal, sys, threading
from tests.engine.test_workers import die, fail, pid
from vendorpack.errors import LockfileError, StoreError
from vendorpack.parallel import Workers

with Workers(2) as workers:
    calls = [workers.submit(pid, label="x") for _ in range(20)]
    assert os.getpid() not in {call.result() for call in calls}
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)  # as `timeout` does
    assert os.getpid() != workers.submit(pid, label="x").result()
    assert isinstance(workers.submit(fail, label="x").exception(), LockfileError)
    died = [workers.submit(die, label="left-pad 1.0.0").exception() for _ in range(4)]
    assert all(isinstance(error, StoreError) and "left-pad 1.0.0" in error.what for error in died)
"""


def pid() -> int:
    return os.getpid()


def fail() -> None:
    raise LockfileError("no", where="here:1")


def die() -> None:
    os._exit(9)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_calls_run_in_processes_and_a_dead_one_is_an_error_with_a_name() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CALLS],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        start_new_session=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_threads_do_the_calls_where_no_process_can() -> None:
    with Workers(2, fork=False) as workers:
        assert workers.submit(pid, label="x").result() == os.getpid()
        with pytest.raises(LockfileError):
            workers.submit(fail, label="x").result()


class Upper(type(GO)):  # type: ignore[misc]
    """A room whose digest is the content in capitals, which is also the form it wants."""

    prepares = True
    exports = False

    def prepare(
        self, artifact: Artifact, algorithms: Sequence[str], path: Path, keep: Keep
    ) -> Mapping[str, bytes]:
        value = path.read_bytes().upper()
        keep("upper-1", (value,))
        return dict.fromkeys(algorithms, value)


async def no_export(url: str, out: Path) -> None:
    raise AssertionError("it is no file made of a commit")


async def no_client() -> Client:
    raise StoreError("no network")


@pytest.mark.parametrize("value", [b"BYTES", b"OTHERS"])
def test_a_form_is_kept_if_the_artifact_is_verified_only(tmp_path: Path, value: bytes) -> None:
    async def commit(url: str, part: Path, algorithms: Sequence[str]) -> Download:
        await asyncio.to_thread(part.write_bytes, b"bytes")
        values = {"sha256": hashlib.sha256(b"bytes").digest()}
        return Download(url=url, values=values, size=5, fetched=5, head=b"", mirror=0)

    def never(data: bytes) -> bytes:
        raise AssertionError("it was made while it was fetched")

    artifact = Artifact(
        name="m",
        version="1",
        purl="pkg:generic/m@1",
        url="git+https://example.com/m#0",
        integrity=Integrity.of([Digest("upper", value)]),
        where="lock:1",
    )
    store = Store(tmp_path)
    fetcher = Fetcher(store, no_client, commit, no_export)
    work = fetcher.fetch([artifact], Upper())
    if value == b"BYTES":
        (packed,) = asyncio.run(work)
        assert store.read(store.derived("upper-1", packed.blob, never)) == value
    else:
        with pytest.raises(IntegrityError):
            asyncio.run(work)
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_has_a_wrong_hash_is_never_opened(tmp_path: Path) -> None:
    async def commit(url: str, part: Path, algorithms: Sequence[str]) -> Download:
        await asyncio.to_thread(part.write_bytes, b"bytes")
        values = {"sha256": hashlib.sha256(b"bytes").digest()}
        return Download(url=url, values=values, size=5, fetched=5, head=b"", mirror=0)

    class Opener(Upper):
        def prepare(self, *_: object) -> Mapping[str, bytes]:
            raise AssertionError("opened")

    artifact = Artifact(
        name="m",
        version="1",
        purl="pkg:generic/m@1",
        url="git+https://example.com/m#0",
        integrity=Integrity.of([Digest("sha256", bytes(32)), Digest("upper", b"BYTES")]),
        where="lock:1",
    )
    fetcher = Fetcher(Store(tmp_path), no_client, commit, no_export)
    with pytest.raises(IntegrityError):
        asyncio.run(fetcher.fetch([artifact], Opener()))


class Plain(type(GO)):  # type: ignore[misc]
    """A room that opens nothing."""

    prepares = False
    exports = False

    def license(self, artifact: Artifact) -> None:
        return None


def test_of_many_artifacts_those_that_the_store_has_are_not_fetched(tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def commit(url: str, part: Path, algorithms: Sequence[str]) -> Download:
        content = url.partition("#")[2].encode()
        asked.append(content)
        await asyncio.to_thread(part.write_bytes, content)
        values = {"sha256": hashlib.sha256(content).digest()}
        size = len(content)
        return Download(url=url, values=values, size=size, fetched=size, head=b"", mirror=0)

    contents = [b"%d" % number for number in range(150)]
    artifacts = [
        Artifact(
            name=content.decode(),
            version="1",
            purl=f"pkg:generic/{content.decode()}@1",
            url=f"git+https://example.com/m#{content.decode()}",
            integrity=Integrity.of([Digest("sha256", hashlib.sha256(content).digest())]),
            where="lock:1",
        )
        for content in contents
    ]
    store = Store(tmp_path)
    for content in contents[::2]:
        store.keep([content])
    fetcher = Fetcher(store, no_client, commit, no_export)
    packed = asyncio.run(fetcher.fetch(artifacts, Plain()))
    assert [store.read(one.blob) for one in packed] == contents
    assert sorted(asked) == sorted(contents[1::2])
    assert (fetcher.tally.reused, fetcher.tally.downloaded) == (75, 75)
