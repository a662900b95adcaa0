"""The SQLite file written by hand, as SQLite itself reads it; and merging into a user's own."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vendorpack.errors import TargetError
from vendorpack.formats.pnpm.index import TABLE, TABLE_SQL
from vendorpack.formats.pnpm.merge import merge_index_db
from vendorpack.formats.pnpm.sqlite_file import write_table

Rows = dict[str, bytes]


def written(rows: Rows, order: Iterable[str] | None = None) -> bytes:
    return b"".join(
        write_table(TABLE, TABLE_SQL, {key: partial(bytes, rows[key]) for key in order or rows})
    )


def opened(data: bytes) -> closing[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.deserialize(data)
    return closing(connection)


def check(data: bytes, rows: Rows) -> None:
    with opened(data) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert dict(db.execute(f"SELECT key, data FROM {TABLE}")) == rows
        for key in list(rows)[:: max(1, len(rows) // 50)]:
            found = db.execute(f"SELECT data FROM {TABLE} WHERE key = ?", (key,)).fetchall()
            assert found == [(rows[key],)]


def noise(count: int, key: int, blob: int, seed: int = 1) -> Rows:
    rng = random.Random(seed)
    return {
        f"sha512-{rng.random()}\t@ä/{number}@1{'x' * rng.choice([0, key])}": rng.randbytes(
            rng.choice([0, 7, blob])
        )
        for number in range(count)
    }


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 233, 901, 5000])
@pytest.mark.parametrize(("key", "blob"), [(0, 900), (1000, 1010), (5000, 30_000)])
def test_sqlite_reads_it(count: int, key: int, blob: int) -> None:
    rows = noise(min(count, 6_000_000 // blob), key, blob)
    data = written(rows)
    check(data, rows)
    assert written(rows, sorted(rows, reverse=True)) == data


@pytest.mark.parametrize("blob", [300, 480, 950])
def test_every_count_up_to_three_levels(blob: int) -> None:
    """A page's last cell is where a tree goes wrong."""
    for count in range(100):
        rows = noise(count, 0, blob, seed=count)
        rows = {key: value.ljust(blob, b"x") for key, value in rows.items()}
        check(written(rows), rows)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
        st.integers(0, 13_000).map(lambda size: random.Random(size).randbytes(size)),
        max_size=12,
    )
)
def test_any_rows(rows: Rows) -> None:
    check(written(rows), rows)


def test_its_bytes_are_pinned() -> None:
    rows = {f"key {number}": bytes([number % 256]) * number for number in range(300)}
    digest = hashlib.sha256(written(rows)).hexdigest()
    assert digest == "c179e9963b676804c7f4cd5dc2975a50d7a4cecd76bf56ad3ea098a1f248f5fe"


def test_a_huge_row() -> None:
    rows = {"key": bytes(range(256)) * 20_000}
    check(written(rows), rows)


# -- merging -------------------------------------------------------------------------------


def users(rows: Rows, *, wal: bool = False, more_sql: str = "") -> bytes:
    connection = sqlite3.connect(":memory:")
    with closing(connection):
        connection.execute(TABLE_SQL)
        connection.executemany(f"INSERT INTO {TABLE} VALUES (?, ?)", rows.items())
        if more_sql:
            connection.execute(more_sql)
        connection.commit()
        data = bytearray(connection.serialize())
    if wal:
        data[18:20] = b"\2\2"
    return bytes(data)


@pytest.mark.parametrize("wal", [False, True])
def test_merge_keeps_the_users_rows(wal: bool) -> None:
    existing = users({"theirs": b"1", "both": b"old"}, wal=wal, more_sql="CREATE TABLE extra (x)")
    ours = written({"ours": b"2", "both": b"new"})
    merged = merge_index_db(existing, ours)
    check(merged, {"theirs": b"1", "ours": b"2", "both": b"new"})
    with opened(merged) as db:
        assert db.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall() == [
            ("extra",),
            (TABLE,),
        ]


def test_merge_into_nothing() -> None:
    ours = written({"ours": b"2"})
    assert merge_index_db(b"", ours) == ours
    check(merge_index_db(written({}), ours), {"ours": b"2"})


@pytest.mark.parametrize("existing", [b"no database", b"SQLite format 3\0" + bytes(4080), b"x" * 9])
def test_merge_refuses_what_is_no_database(existing: bytes) -> None:
    with pytest.raises(TargetError, match=r"index of pnpm's store"):
        merge_index_db(existing, written({"ours": b"2"}))
