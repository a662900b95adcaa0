"""The HTTP client against a server that does everything wrong."""

from __future__ import annotations

import asyncio
import email.utils
import gzip
import hashlib
import logging
import random
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from aiohttp.abc import ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from tests.world import Authority, Proxy, Reply, Request, Route, Server
from vendorpack.errors import FetchError, PolicyError, StoreError, UsageError
from vendorpack.fetch.address import basic
from vendorpack.fetch.faults import seconds_to_wait
from vendorpack.fetch.http import Client, Download, Limits
from vendorpack.model import Access, Credential
from vendorpack.policy import Policy as RealPolicy
from vendorpack.room import Answer

QUICK = Limits(
    connect_timeout=2,
    low_speed_bytes=100,
    low_speed_time=0.3,
    retries=3,
    backoff_base=0.01,
    backoff_cap=0.02,
    retry_after_cap=3,
    max_time=10,
)
BODY = random.Random(7).randbytes(300_000)
SMALL = b"a small file"
CANARY = "hunter2-canary"


@dataclass
class Policy:
    """Allows everything but what is named, and remembers what it was asked."""

    refused: tuple[str, ...] = ()
    checked: list[tuple[str, str | None]] = field(default_factory=list)

    def check(self, url: str, *, redirected_from: str | None = None) -> None:
        self.checked.append((url, redirected_from))
        if url.startswith(self.refused):
            raise PolicyError("not allowed", where=url)

    def judges_addresses(self, url: str) -> bool:
        return False

    def check_addresses(
        self, url: str, addresses: Iterable[str], *, redirected_from: str, before: Iterable[str]
    ) -> None:
        raise AssertionError("nobody asked for it")


@dataclass
class Bench:
    """A client made for each call, and what it said on the way."""

    folder: Path
    access: Access = field(default_factory=Access)
    policy: Policy = field(default_factory=Policy)
    environ: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = QUICK
    retries: list[str] = field(default_factory=list)
    gained: int = 0
    requests: int = 0

    @property
    def part(self) -> Path:
        return self.folder / "part"

    def client(self) -> Client:
        return Client(
            self.access,
            self.policy,
            environ=self.environ,
            home=self.folder,
            limits=self.limits,
            on_bytes=self._count,
            on_retry=self.retries.append,
        )

    def download(
        self, *urls: str, size: int | None = None, max_size: int = 1 << 30, part: str = "part"
    ) -> Download:
        async def run() -> Download:
            async with self.client() as client:
                try:
                    return await client.download(
                        urls,
                        self.folder / part,
                        algorithms=("sha512",),
                        size=size,
                        max_size=max_size,
                        label="thing 1.0",
                    )
                finally:
                    self.requests += client.requests

        return asyncio.run(run())

    def get(self, url: str, *, max_size: int = 1 << 20, accept: str = "*/*") -> Answer:
        async def run() -> Answer:
            async with self.client() as client:
                return await client.get(url, max_size=max_size, accept=accept)

        return asyncio.run(run())

    def fails(self, *urls: str, size: int | None = None) -> FetchError:
        with pytest.raises(FetchError) as caught:
            self.download(*urls, size=size)
        return caught.value

    def _count(self, gained: int) -> None:
        self.gained += gained


@pytest.fixture(autouse=True)
def no_system_authorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the system's own for every client takes longer than most tests."""
    monkeypatch.setenv("SSL_CERT_FILE", str(Authority().write_pem(tmp_path / "system.pem")))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def is_body(download: Download, bench: Bench, body: bytes = BODY) -> bool:
    """Whether file, digests, size and head are those of `body`."""
    return (
        bench.part.read_bytes() == body
        and download.values
        == {"sha256": hashlib.sha256(body).digest(), "sha512": hashlib.sha512(body).digest()}
        and download.size == len(body)
        and download.head == body[:64]
    )


# -- a good server -------------------------------------------------------------------------


def test_a_plain_download(bench: Bench) -> None:
    with Server({"/a.tgz": BODY}) as server:
        download = bench.download(f"{server.url}/a.tgz?token={CANARY}", size=len(BODY))
    assert is_body(download, bench)
    assert download.fetched == bench.gained == len(BODY)
    assert download.url == f"{server.url}/a.tgz?token=***"
    assert bench.part.stat().st_mode & 0o777 == 0o600
    [request] = server.requests
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"].startswith("vendorpack/")
    assert request.target.endswith(CANARY)
    assert not {"authorization", "cookie", "range"} & request.headers.keys()


@pytest.mark.parametrize("size", [0, 1, 63, 64, (256 << 10) - 1, 256 << 10, 3_000_001])
def test_sizes_around_the_blocks(bench: Bench, size: int) -> None:
    body = random.Random(size).randbytes(size)
    with Server({"/f": body}) as server:
        assert is_body(bench.download(f"{server.url}/f"), bench, body)


def test_localhost_is_the_loopback(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the system does not know it, as a root without an /etc/hosts."""

    async def resolve(self: object, host: str, *args: object) -> list[ResolveResult]:
        raise OSError(socket.EAI_NONAME, "not known")

    monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", resolve)
    with Server({"/f": SMALL}) as server:
        bench.download(server.url.replace("127.0.0.1", "localhost") + "/f")
        error = bench.fails(server.url.replace("127.0.0.1", "local.invalid") + "/f")
    assert "cannot be resolved" in error.what


def test_connections_are_shared_and_capped(bench: Bench) -> None:
    bench.limits = replace(QUICK, low_speed_time=60)  # however busy the machine is

    def slow(request: Request) -> Reply:
        return Reply(request.path.encode(), delay=0.01)

    async def run(url: str) -> list[Download]:
        async with bench.client() as client:
            jobs = (
                client.download(
                    [f"{url}/{number}"],
                    bench.folder / str(number),
                    algorithms=(),
                    size=None,
                    max_size=100,
                    label=str(number),
                )
                for number in range(150)
            )
            return await asyncio.gather(*jobs)

    with Server({}, default=slow) as server:
        downloads = asyncio.run(run(server.url))
    assert [d.head.decode() for d in downloads] == [f"/{n}" for n in range(150)]
    assert len(server.requests) == 150
    assert server.connections <= 32
    assert 1 < server.most_at_once <= 32


def test_connections_survive_errors_and_redirects(bench: Bench) -> None:
    routes: dict[str, Route] = {
        "/a": [Reply(b"x" * 9000, 503), Reply(b"moved", 302, {"Location": "/b"})],
        "/b": SMALL,
    }
    with Server(routes) as server:
        bench.download(f"{server.url}/a")
    assert server.paths == ["/a", "/a", "/b"]
    assert server.connections == 1
    assert bench.requests == 3


def test_cookies_are_not_kept(bench: Bench) -> None:
    moved = Reply(b"", 302, {"Location": "/b", "Set-Cookie": "a=b"})
    with Server({"/a": moved, "/b": SMALL}) as server:
        bench.download(f"{server.url}/a")
    assert all("cookie" not in request.headers for request in server.requests)


# -- statuses and waiting ------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_passing_trouble_is_tried_again(bench: Bench, status: int) -> None:
    trouble = Reply(b"sorry", status)
    with Server({"/f": [trouble, trouble, Reply(BODY)]}) as server:
        assert is_body(bench.download(f"{server.url}/f"), bench)
    assert len(server.requests) == 3
    assert len(bench.retries) == 2
    assert f"thing 1.0: the server answers {status}" in bench.retries[0]


def test_it_gives_up_in_the_end(bench: Bench) -> None:
    with Server({"/f": Reply(status=500)}) as server:
        error = bench.fails(f"{server.url}/f")
    assert len(server.requests) == 1 + QUICK.retries
    assert error.status == 500
    assert "thing 1.0: the server answers 500" in error.what
    assert "4 attempts" in error.what


def test_retry_after_in_seconds(bench: Bench) -> None:
    routes = {"/f": [Reply(status=503, headers={"Retry-After": "1"}), Reply(SMALL)]}
    began = time.monotonic()
    with Server(routes) as server:
        bench.download(f"{server.url}/f")
    assert 1 <= time.monotonic() - began < 2


def test_retry_after_as_a_date_by_the_servers_clock(bench: Bench) -> None:
    now = datetime(2001, 2, 3, tzinfo=UTC)
    headers = {
        "Date": email.utils.format_datetime(now, usegmt=True),
        "Retry-After": email.utils.format_datetime(now + timedelta(seconds=1), usegmt=True),
    }
    began = time.monotonic()
    with Server({"/f": [Reply(status=429, headers=headers), Reply(SMALL)]}) as server:
        bench.download(f"{server.url}/f")
    assert 1 <= time.monotonic() - began < 2


@pytest.mark.parametrize("value", ["99999", "9" * 5000, "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_retry_after_too_long(bench: Bench, value: str) -> None:
    with Server({"/f": Reply(status=503, headers={"Retry-After": value})}) as server:
        error = bench.fails(f"{server.url}/f")
    assert len(server.requests) == 1
    assert "asks to wait" in error.what
    assert error.status == 503


@pytest.mark.parametrize("value", ["soon", "-5", "٣", "Fri, 99 Jan 2100 00:00:00 GMT", "1e9"])
@pytest.mark.parametrize("date", ["", "Mon, 01 Jan 2024 00:00:00 +99999999999999999999"])
def test_retry_after_nonsense_is_passed_over(bench: Bench, value: str, date: str) -> None:
    headers = {"Retry-After": value.encode().decode("latin-1"), "Date": date}
    with Server({"/f": [Reply(status=503, headers=headers), Reply(SMALL)]}) as server:
        bench.download(f"{server.url}/f")
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("7", "", 7),
        ("Mon, 01 Jan 2024 00:00:09 GMT", "Mon, 01 Jan 2024 00:00:00 GMT", 9),
        ("Mon, 01 Jan 2024 00:00:00 GMT", "Mon, 01 Jan 2024 00:00:09 GMT", 0),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", "", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "", None),
        ("Mon, 01 Jan 2024 00:00:00 +9999", "", None),
    ],
)
def test_seconds_to_wait(value: str, date: str, seconds: float | None) -> None:
    assert seconds_to_wait(value, date) == seconds


_DATES = st.from_regex(
    r"(Mon, )?[0-9]{1,25} (Jan|Foo) [0-9]{1,25} [0-9:]{1,25} ([+-][0-9]{1,25}|GMT|UTC)?",
    fullmatch=True,
)


@given(st.text() | _DATES, st.text() | _DATES)
def test_no_header_is_too_odd(value: str, date: str) -> None:
    seconds = seconds_to_wait(value, date)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 300, 204])
def test_final_answers_are_not_asked_for_again(bench: Bench, status: int) -> None:
    with Server({"/f": Reply(status=status)}) as server:
        error = bench.fails(f"{server.url}/f?sig={CANARY}")
    assert len(server.requests) == 1
    assert error.status == status
    assert error.what.startswith(f"thing 1.0: the server answers {status}")
    assert error.where == f"{server.url}/f?sig=***"
    assert (error.fix is not None) == (status in (401, 403, 404, 410))


# -- bodies --------------------------------------------------------------------------------


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_body_goes_on_where_it_stopped(bench: Bench, reset: bool) -> None:
    etag = {"ETag": '"1"'}
    routes = {
        "/f": [Reply(BODY, headers=etag, cut=150_000, reset=reset), Reply(BODY, headers=etag)]
    }
    with Server(routes) as server:
        download = bench.download(f"{server.url}/f")
    assert is_body(download, bench)
    assert bench.gained == len(BODY)
    second = server.requests[1].headers
    start = int(second["range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= 150_000
    assert second["if-range"] == '"1"'
    assert download.fetched == len(BODY)


def test_a_file_that_changed_meanwhile_is_started_over(bench: Bench) -> None:
    old = Reply(BODY[::-1], headers={"ETag": '"old"'}, cut=150_000)
    with Server({"/f": [old, Reply(BODY, headers={"ETag": '"new"'})]}) as server:
        download = bench.download(f"{server.url}/f")
    assert is_body(download, bench)
    assert download.fetched > bench.gained == len(BODY)


def test_a_weak_etag_is_no_validator(bench: Bench) -> None:
    headers = {"ETag": 'W/"1"', "Last-Modified": "Sat, 01 Jan 2000 00:00:00 GMT"}
    replies = [Reply(BODY, headers=headers, cut=150_000), Reply(BODY, headers=headers)]
    with Server({"/f": replies}) as server:
        assert is_body(bench.download(f"{server.url}/f"), bench)
    assert server.requests[1].headers["if-range"] == headers["Last-Modified"]


RANGE_FAULTS = {
    "ignored": Reply(BODY, ranges=False),
    "wrong start": Reply(BODY, 206, {"Content-Range": "bytes 0-299999/300000"}),
    "not said": Reply(BODY, 206),
    "nonsense": Reply(BODY, 206, {"Content-Range": "bytes a-b/c"}),
    "refused": Reply(b"", 416),
}


@pytest.mark.parametrize("fault", RANGE_FAULTS)
def test_a_range_that_is_not_served_starts_over(bench: Bench, fault: str) -> None:
    bench.part.write_bytes(b"x" * 1000)
    with Server({"/f": [RANGE_FAULTS[fault], Reply(BODY)]}) as server:
        assert is_body(bench.download(f"{server.url}/f"), bench)
    assert server.requests[0].headers["range"] == "bytes=1000-"
    assert all("range" not in request.headers for request in server.requests[1:])
    assert len(server.requests) == (1 if fault == "ignored" else 2)
    assert bench.gained == len(BODY)


def test_failures_are_forgotten_while_the_file_grows(bench: Bench) -> None:
    body = random.Random(8).randbytes(10 << 20)

    def stingy(request: Request) -> Reply:
        return Reply(body, cut=3 << 19)

    with Server({}, default=stingy) as server:
        assert is_body(bench.download(f"{server.url}/f"), bench, body)
    assert len(server.requests) > 1 + QUICK.retries


def test_failures_add_up_where_every_attempt_starts_over(bench: Bench) -> None:
    with Server({"/f": Reply(b"x" * (4 << 20), cut=3 << 20, ranges=False)}) as server:
        error = bench.fails(f"{server.url}/f")
    assert len(server.requests) == 1 + QUICK.retries
    assert "cut short" in error.what


def test_a_content_length_too_large_is_a_cut(bench: Bench) -> None:
    routes = {"/f": [Reply(BODY, length=len(BODY) + 10, cut=len(BODY)), Reply(BODY)]}
    with Server(routes) as server:
        # The size is unknown, so the server is asked for the rest, and has none.
        assert is_body(bench.download(f"{server.url}/f"), bench)
    assert len(server.requests) == 3


def test_a_content_length_too_small_never_passes_for_the_file(bench: Bench) -> None:
    with Server({"/f": Reply(BODY, length=1000)}) as server:
        try:
            download = bench.download(f"{server.url}/f", size=len(BODY))
        except FetchError:
            return
    assert download.size == 1000
    assert download.values["sha256"] == hashlib.sha256(BODY[:1000]).digest()


def test_a_close_without_length_is_a_cut_if_the_size_is_known(bench: Bench) -> None:
    replies = [Reply(BODY, length=-1, cut=150_000), Reply(BODY)]
    with Server({"/f": replies}) as server:
        assert is_body(bench.download(f"{server.url}/f", size=len(BODY)), bench)
    assert len(server.requests) == 2


def test_a_close_without_length_is_the_end_otherwise(bench: Bench) -> None:
    with Server({"/f": Reply(BODY, length=-1)}) as server:
        assert is_body(bench.download(f"{server.url}/f"), bench)


@pytest.mark.parametrize("length", [None, -1])
@pytest.mark.parametrize("pinned", [True, False])
def test_too_many_bytes_are_refused(bench: Bench, length: int | None, pinned: bool) -> None:
    size, max_size = (1000, 1 << 30) if pinned else (None, 1000)
    with (
        Server({"/f": Reply(BODY, length=length)}) as server,
        pytest.raises(FetchError, match=r"larger than 1,000 bytes"),
    ):
        bench.download(f"{server.url}/f", size=size, max_size=max_size)
    assert len(server.requests) == 1
    assert bench.part.read_bytes() == b""
    assert bench.gained == 0


def test_a_page_in_place_of_the_file_is_handed_over_to_be_refused(bench: Bench) -> None:
    page = b"<!doctype html><title>Log in</title>"
    with Server({"/f": Reply(page, headers={"Content-Type": "text/html"})}) as server:
        download = bench.download(f"{server.url}/f", size=len(BODY))
    assert download.head == page
    assert download.size == len(page)


def test_a_flipped_bit_shows_in_the_digest(bench: Bench) -> None:
    flipped = bytes([BODY[0] ^ 1]) + BODY[1:]
    with Server({"/f": flipped}) as server:
        download = bench.download(f"{server.url}/f", size=len(BODY))
    assert download.values["sha512"] == hashlib.sha512(flipped).digest()


def test_content_encoding_is_not_undone(bench: Bench) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    with Server({"/f": Reply(bomb, headers={"Content-Encoding": "gzip"})}) as server:
        assert is_body(bench.download(f"{server.url}/f"), bench, bomb)


STALLS = {
    "silent": Reply(silent=True),
    "silent midway": Reply(BODY, cut=1000, silent=True),
    "drip": Reply(BODY, drip=0.05),
    "late": Reply(BODY, delay=5),
}


@pytest.mark.parametrize("stall", STALLS)
def test_hardly_anything_coming_is_given_up(bench: Bench, stall: str) -> None:
    bench.limits = Limits(low_speed_bytes=100, low_speed_time=0.2, retries=1, backoff_base=0.01)
    began = time.monotonic()
    with Server({"/f": STALLS[stall]}) as server:
        error = bench.fails(f"{server.url}/f")
    assert "hardly anything" in error.what
    assert len(server.requests) == 2
    assert time.monotonic() - began < 2


def test_slow_but_steady_is_good(bench: Bench) -> None:
    bench.limits = Limits(low_speed_bytes=10, low_speed_time=0.2, retries=0)
    began = time.monotonic()
    with Server({"/f": Reply(bytes(40), drip=0.01)}) as server:
        bench.download(f"{server.url}/f")
    assert time.monotonic() - began > 0.4


def test_the_time_for_one_download_is_limited(bench: Bench) -> None:
    bench.limits = Limits(low_speed_bytes=1, max_time=0.3)
    with Server({"/f": Reply(BODY, drip=0.01)}) as server:
        assert "not done after" in bench.fails(f"{server.url}/f").what


# -- from one run to the next --------------------------------------------------------------


def test_another_client_goes_on(bench: Bench) -> None:
    bench.limits = Limits(retries=0, low_speed_time=2)
    with Server({"/f": [Reply(BODY, cut=200_000), Reply(BODY)]}) as server:
        bench.fails(f"{server.url}/f")
        left = bench.part.stat().st_size
        assert BODY.startswith(bench.part.read_bytes())
        download = bench.download(f"{server.url}/f")
    assert is_body(download, bench)
    assert server.requests[1].headers["range"] == f"bytes={left}-"
    assert "if-range" not in server.requests[1].headers
    assert download.fetched == len(BODY) - left


def test_a_whole_part_needs_no_request(bench: Bench) -> None:
    bench.part.write_bytes(BODY)
    with Server({}) as server:
        download = bench.download(f"{server.url}/f", size=len(BODY))
    assert is_body(download, bench)
    assert server.requests == []
    assert download.fetched == 0


def test_a_part_that_is_too_large_is_started_over(bench: Bench) -> None:
    bench.part.write_bytes(BODY + b"!")
    with Server({"/f": BODY}) as server:
        assert is_body(bench.download(f"{server.url}/f", size=len(BODY)), bench)
    assert "range" not in server.requests[0].headers


def test_a_cancelled_download_leaves_a_good_beginning(bench: Bench) -> None:
    body = random.Random(9).randbytes(4_000_000)

    async def run(url: str) -> None:
        async with bench.client() as client:
            job = asyncio.create_task(
                client.download(
                    [url], bench.part, algorithms=(), size=None, max_size=1 << 30, label="x"
                )
            )
            while bench.gained < 600_000:  # noqa: ASYNC110 - it is counted in this very loop
                await asyncio.sleep(0.001)
            job.cancel()
            with pytest.raises(asyncio.CancelledError):
                await job

    with Server({"/f": [Reply(body, cut=700_000, silent=True), Reply(body)]}) as server:
        asyncio.run(run(f"{server.url}/f"))
        left = bench.part.read_bytes()
        assert len(left) == bench.gained
        assert body.startswith(left)
        download = bench.download(f"{server.url}/f")
    assert is_body(download, bench, body)
    assert download.fetched == len(body) - len(left)


# -- several addresses ---------------------------------------------------------------------


def test_the_next_mirror_is_tried(bench: Bench) -> None:
    with Server({"/b": BODY}) as server:
        download = bench.download(f"{server.url}/a", f"{server.url}/b", f"{server.url}/c")
    assert is_body(download, bench)
    assert download.url == f"{server.url}/b"
    assert download.mirror == 1
    assert server.paths == ["/a", "/b"]


def test_all_mirrors_fail(bench: Bench) -> None:
    with Server({"/b": Reply(status=410)}) as server:
        error = bench.fails(f"{server.url}/a", f"{server.url}/b")
    assert "none of the 2 addresses" in error.what
    assert error.where is not None
    assert f"{server.url}/a: the server answers 404 Not Found" in error.where
    assert f"{server.url}/b: the server answers 410 Gone" in error.where


def test_what_the_policy_refuses_is_not_asked(bench: Bench) -> None:
    with Server({"/b": BODY}) as server:
        bench.policy.refused = (f"{server.url}/a",)
        with pytest.raises(PolicyError):
            bench.download(f"{server.url}/a", f"{server.url}/b")
    assert server.requests == []


# -- redirects and credentials -------------------------------------------------------------


def redirect(location: str, status: int = 302) -> Reply:
    return Reply(b"", status, {"Location": location})


def test_redirects_go_through_the_policy(bench: Bench) -> None:
    with Server({"/f": SMALL}) as other:
        routes = {"/a": redirect("b?x=1", 301), "/b": redirect(f"{other.url}/f", 307)}
        with Server(routes) as server:
            download = bench.download(f"{server.url}/a#fragment")
            assert bench.policy.checked == [
                (f"{server.url}/a", None),
                (f"{server.url}/b?x=1", f"{server.url}/a"),
                (f"{other.url}/f", f"{server.url}/b?x=1"),
            ]
            assert download.url == f"{other.url}/f"
            bench.policy.refused = (other.url,)
            with pytest.raises(PolicyError):
                bench.download(f"{server.url}/a", part="again")
    assert len(other.requests) == 1


class Names:
    """A resolver of made-up names; each is asked for its answers one after another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answers: list[str]) -> None:
        self.answers = answers
        self.asked: list[str] = []

        async def resolve(
            _: object, host: str, port: int = 0, family: int = 0
        ) -> list[dict[str, object]]:
            self.asked.append(host)
            found = self.answers[host.partition(".")[0]]
            address = found.pop(0) if len(found) > 1 else found[0]
            return [
                {
                    "hostname": host,
                    "host": address,
                    "port": port,
                    "family": socket.AF_INET,
                    "proto": 0,
                    "flags": socket.AI_NUMERICHOST,
                }
            ]

        monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", resolve)
        # The loopback plays the internet, but for one address of it.
        monkeypatch.setattr("vendorpack.policy.is_private_address", lambda a: a == "127.0.0.2")


def public_bench(tmp_path: Path, server: Server) -> Bench:
    port = server.url.rpartition(":")[2]
    origin = f"http://registry.example:{port}"
    return Bench(tmp_path, policy=cast(Policy, RealPolicy(frozenset({origin}))))


def test_a_name_that_leads_inward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch, registry=["127.0.0.1"], inward=["127.0.0.2"], out=["127.0.0.1"])
    routes: dict[str, Route] = {"/f": Reply(SMALL)}
    with Server(routes) as server:
        port = server.url.rpartition(":")[2]
        routes["/in"] = redirect(f"http://inward.example:{port}/f")
        routes["/out"] = redirect(f"http://out.example:{port}/f")
        bench = public_bench(tmp_path, server)
        bench.download(f"http://registry.example:{port}/out")
        assert (tmp_path / "part").read_bytes() == SMALL
        with pytest.raises(PolicyError, match="leads to a private address"):
            bench.download(f"http://registry.example:{port}/in", part="other")
    assert names.asked == ["registry.example", "out.example", "registry.example", "inward.example"]


def test_a_name_that_changes_its_mind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was judged is what is connected to."""
    answers = ["127.0.0.1", "127.0.0.2"]
    names = Names(monkeypatch, registry=["127.0.0.1"], rebinding=answers)
    routes: dict[str, Route] = {"/f": Reply(SMALL)}
    with Server(routes) as server:
        port = server.url.rpartition(":")[2]
        routes["/in"] = redirect(f"http://rebinding.example:{port}/f")
        public_bench(tmp_path, server).download(f"http://registry.example:{port}/in")
    assert (tmp_path / "part").read_bytes() == SMALL
    assert names.asked == ["registry.example", "rebinding.example"]


def test_headers_without_end(bench: Bench) -> None:
    """Registries send about thirty."""
    few, many = ({f"X-{n}": "a" for n in range(count)} for count in (100, 20_000))
    with Server({"/few": Reply(SMALL, 200, few), "/many": Reply(SMALL, 200, many)}) as server:
        bench.download(f"{server.url}/few")
        assert "not well-formed HTTP" in bench.fails(f"{server.url}/many").what


def test_a_redirect_loop_ends(bench: Bench) -> None:
    with Server({"/f": redirect("/f")}) as server:
        error = bench.fails(f"{server.url}/f")
    assert "more than 10 redirects" in error.what
    assert len(server.requests) == 11


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "http://[", "http://a b/", "http://a:x/"]
)
def test_redirects_to_nowhere(bench: Bench, location: str) -> None:
    with Server({"/f": redirect(location)}) as server:
        assert "cannot be used" in bench.fails(f"{server.url}/f").what
    assert len(server.requests) == 1


def test_https_is_never_left(bench: Bench) -> None:
    authority = Authority()
    bench.access = Access(ca_files=(str(authority.write_pem(bench.folder / "ca.pem")),))
    with (
        Server({"/f": SMALL}) as plain,
        Server({"/f": redirect(f"{plain.url}/f")}, tls=authority.server()) as server,
    ):
        error = bench.fails(f"{server.url}/f")
    assert "from https to http" in error.what
    assert plain.requests == []


def sent(server: Server) -> list[str | None]:
    """The Authorization of each request."""
    return [request.headers.get("authorization") for request in server.requests]


def test_credentials_do_not_cross_a_redirect(bench: Bench) -> None:
    with Server({"/f": SMALL, "/open/f": SMALL}) as other:
        routes: dict[str, Route] = {
            "/ours/a": redirect(f"{other.url}/f"),
            "/ours/b": redirect("/ours/c"),
            "/ours/c": redirect("/theirs/d"),
            "/theirs/d": SMALL,
        }
        with Server(routes) as server:
            bench.access = Access(credentials=(Credential(f"{server.url}/ours/", "Bearer t"),))
            bench.download(f"{server.url}/ours/a")
            bench.download(f"{server.url}/ours/b", part="b")
    assert sent(server) == ["Bearer t", "Bearer t", "Bearer t", None]
    assert sent(other) == [None]


def test_userinfo_becomes_a_header_for_its_origin_alone(bench: Bench) -> None:
    with Server({"/f": SMALL}) as other:
        routes = {"/a": redirect("/b"), "/b": redirect(f"{other.url}/f")}
        with Server(routes) as server:
            address = server.url.replace("://", "://me:p%40ss@")
            download = bench.download(f"{address}/a")
    assert sent(server) == [basic("me", "p@ss")] * 2
    assert sent(other) == [None]
    assert download.url == f"{other.url}/f"
    assert all("me" not in url for url, _ in bench.policy.checked)


def test_netrc(bench: Bench) -> None:
    (bench.folder / ".netrc").write_text(f"machine 127.0.0.1 login me password {CANARY}\n")
    with Server({"/f": SMALL}) as server:
        bench.download(f"{server.url}/f")
        bench.access = Access(credentials=(Credential(server.url, "Bearer t"),))
        bench.download(f"{server.url}/f", part="2")
        bench.download(f"{server.url.replace('://', '://you:x@')}/f", part="3")
        bench.access = Access()
        bench.download(f"{server.url.replace('://', '://you:x@')}/f", part="4")
    assert sent(server) == [basic("me", CANARY), "Bearer t", "Bearer t", basic("you", "x")]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_says_what_was_sent(bench: Bench, status: int) -> None:
    with Server({"/f": Reply(status=status)}) as server:
        fix = bench.fails(f"{server.url}/f").fix or ""
        assert "No credentials were sent" in fix
        assert f"{server.url}/" in fix
        assert "no netrc file" in fix
        bench.access = Access(credentials=(Credential(server.url, f"Bearer {CANARY}"),))
        fix = bench.fails(f"{server.url}/f").fix or ""
    assert f"the credentials configured for {server.url}" in fix
    assert CANARY not in fix


def test_no_secret_is_ever_told(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (bench.folder / ".netrc").write_text(f"machine 127.0.0.1 login me password {CANARY}\n")
    bench.limits = Limits(low_speed_time=0.2, retries=1, backoff_base=0.01)
    told: list[str] = []

    def tell(error: BaseException) -> None:
        told.extend((str(error), repr(error), str(error.__context__), repr(vars(error))))

    routes: dict[str, Reply] = {
        "/401": Reply(CANARY.encode(), 401),
        "/500": Reply(CANARY.encode(), 500),
        "/cut": Reply(BODY, cut=10),
        "/silent": Reply(silent=True),
        "/away": redirect(f"http://u:{CANARY}@127.0.0.1:1/?token={CANARY}"),
        "/nowhere": redirect(f"ftp://u:{CANARY}@example.com/?token={CANARY}"),
    }
    with Server(routes) as server:
        for path in routes:
            tell(bench.fails(f"{server.url}{path}?token={CANARY}"))
            address = server.url.replace("://", f"://u:{CANARY}@")
            tell(bench.fails(f"{address}{path}", f"{address}/404?a={CANARY}"))
    for address in (
        f"https://u:{CANARY}@registry.invalid/",
        f"http://u:{CANARY}@exa mple/",
        f"http://u:a/{CANARY}@example.com/",
        f"http://u:a {CANARY}\ud800@example.com/",
        f"ftp://example.com/?token={CANARY}",
    ):
        tell(bench.fails(address))
    bench.environ = {"https_proxy": f"http://u:{CANARY}@127.0.0.1:1"}
    tell(bench.fails("https://example.com/"))
    credential = Credential("https://example.com/", f"Bearer {CANARY}\n")
    with pytest.raises(UsageError) as caught:
        Client(Access(credentials=(credential,)), Policy(), environ={}, home=bench.folder)
    tell(caught.value)
    assert len(told) > 4 * 2 * len(routes)
    assert CANARY not in "\n".join([*told, *bench.retries, caplog.text, repr(credential)])


# -- connections ---------------------------------------------------------------------------


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_connection_refused(bench: Bench) -> None:
    port = closed_port()
    error = bench.fails(f"http://127.0.0.1:{port}/f")
    assert f"cannot connect to 127.0.0.1:{port}: Connection refused" in error.what
    assert "https_proxy" in (error.fix or "")
    assert len(bench.retries) == QUICK.retries


def test_an_unknown_name(bench: Bench) -> None:
    error = bench.fails("https://registry.invalid/f")
    assert "the name of registry.invalid cannot be resolved" in error.what
    assert "https_proxy" in (error.fix or "")


def test_a_handshake_that_is_reset_is_tried_again(bench: Bench) -> None:
    authority = Authority()
    bench.environ = {"SSL_CERT_FILE": str(authority.write_pem(bench.folder / "ca.pem"))}
    with Server({"/f": SMALL}, tls=authority.server()) as server:
        server.resets = 2
        assert is_body(bench.download(f"{server.url}/f"), bench, SMALL)
    assert bench.retries
    assert len(server.requests) == 1


def untrusted(authority: Authority) -> Server:
    return Server({"/f": SMALL}, tls=Authority().server())


def expired(authority: Authority) -> Server:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    return Server({"/f": SMALL}, tls=authority.server(not_after=yesterday))


def other_name(authority: Authority) -> Server:
    return Server({"/f": SMALL}, tls=authority.server("example.com"))


@pytest.mark.parametrize("make", [untrusted, expired, other_name])
def test_a_bad_certificate_is_final(bench: Bench, make: Callable[[Authority], Server]) -> None:
    authority = Authority()
    bench.access = Access(ca_files=(str(authority.write_pem(bench.folder / "ca.pem")),))
    with make(authority) as server:
        error = bench.fails(f"{server.url}/f")
        assert server.connections == 1
    assert "certificate is not trusted" in error.what
    assert "SSL_CERT_FILE" in (error.fix or "")
    assert server.requests == []


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_company_authority(bench: Bench, variable: str) -> None:
    authority = Authority()
    bench.environ = {variable: str(authority.write_pem(bench.folder / "ca.pem"))}
    with Server({"/f": SMALL}, tls=authority.server()) as server:
        assert is_body(bench.download(f"{server.url}/f"), bench, SMALL)


# -- proxies -------------------------------------------------------------------------------


def test_a_proxy_with_a_login(bench: Bench) -> None:
    authority = Authority()
    login = basic("me", CANARY)
    with (
        Proxy(authorization=login) as proxy,
        Server({"/f": SMALL}, tls=authority.server()) as server,
        Server({"/f": SMALL}) as plain,
    ):
        address = proxy.url.replace("://", f"://me:{CANARY}@")
        bench.environ = {
            "HTTPS_PROXY": address,
            "http_proxy": address,
            "SSL_CERT_FILE": str(authority.write_pem(bench.folder / "ca.pem")),
        }
        bench.download(f"{server.url}/f")
        bench.download(f"{plain.url}/f", part="2")
        bench.environ = {**bench.environ, "no_proxy": "127.0.0.0/8"}
        bench.download(f"{server.url}/f", part="3")
    assert [(r.method, r.target) for r in proxy.requests] == [
        ("CONNECT", f"127.0.0.1:{server.port}"),
        ("GET", f"{plain.url}/f"),
    ]
    assert len(server.requests) == 2
    seen = [*server.requests, *plain.requests]
    assert all("proxy-authorization" not in request.headers for request in seen)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_login(bench: Bench, scheme: str) -> None:
    with Proxy(authorization="Basic other") as proxy:
        address = proxy.url.replace("://", f"://me:{CANARY}@")
        bench.access = Access(proxies={scheme: address})
        error = bench.fails(f"{scheme}://registry.invalid/f")
    assert "407 Proxy Authentication Required" in error.what
    assert "http://user:password@host:port" in (error.fix or "")
    assert CANARY not in str(error)
    assert len(proxy.requests) == 1


def test_a_proxy_that_is_not_there(bench: Bench) -> None:
    bench.environ = {"https_proxy": f"127.0.0.1:{closed_port()}"}
    error = bench.fails("https://registry.invalid/f")
    assert "cannot connect to the proxy http://127.0.0.1" in error.what


# -- files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["no/such/folder", "link", "folder"])
def test_a_part_that_cannot_be_opened(bench: Bench, name: str) -> None:
    (bench.folder / "target").write_bytes(b"precious")
    (bench.folder / "link").symlink_to("target")
    (bench.folder / "folder").mkdir()
    with Server({"/f": SMALL}) as server, pytest.raises(StoreError, match="cannot write"):
        bench.download(f"{server.url}/f", part=name)
    assert server.requests == []
    assert (bench.folder / "target").read_bytes() == b"precious"


# -- documents of an index -----------------------------------------------------------------


def test_get(bench: Bench) -> None:
    routes = {"/a": redirect("/b"), "/b": Reply(b"{}", headers={"Content-Type": "text/json"})}
    with Server(routes) as server:
        address = server.url.replace("://", "://me:x@")
        answer = bench.get(f"{address}/a", accept="application/json")
    assert answer == Answer(b"{}", "text/json", f"{server.url}/b")
    assert server.requests[1].headers["accept"] == "application/json"
    assert server.requests[1].headers["accept-encoding"] == "gzip"


def test_get_undoes_gzip_up_to_the_cap(bench: Bench) -> None:
    def gzipped(body: bytes) -> Reply:
        return Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"})

    damaged = Reply(gzip.compress(BODY)[:-1], headers={"Content-Encoding": "gzip"})
    routes: dict[str, Route] = {
        "/good": [damaged, gzipped(BODY)],
        "/bomb": gzipped(bytes(10_000_000)),
        "/long": Reply(BODY * 4),
        "/other": Reply(BODY, headers={"Content-Encoding": "br"}),
    }
    with Server(routes) as server:
        assert bench.get(f"{server.url}/good").body == BODY
        for path, words in (
            ("/bomb", "larger than 1,048,576 bytes"),
            ("/long", "larger than 1,048,576 bytes"),
            ("/other", "not asked for"),
        ):
            with pytest.raises(FetchError, match=words):
                bench.get(server.url + path)


def test_get_hands_on_the_status(bench: Bench) -> None:
    with Server({}) as server, pytest.raises(FetchError) as caught:
        bench.get(f"{server.url}/f")
    assert caught.value.status == 404
    assert caught.value.what == "the server answers 404 Not Found"


@pytest.mark.parametrize("status", [201, 203, 206])
def test_only_200_is_the_document(bench: Bench, status: int) -> None:
    """A part of it is none, nor what a proxy made of it."""
    with Server({"/f": Reply(BODY, status)}) as server, pytest.raises(FetchError) as caught:
        bench.get(f"{server.url}/f")
    assert f"the server answers {status}" in caught.value.what
