"""Our rows into the table of a v11 store that the user already has.

pnpm 11 and 12 keep the table in WAL mode: what they have written but not yet moved into the main
file lies beside it in `index.db-wal`, and would be replayed over the file that we write. So
while there is something in that file, the room's `in_use_mark`, nothing is merged.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from vendorpack.errors import TargetError
from vendorpack.formats.pnpm.index import TABLE, TABLE_SQL

_FORMAT_VERSIONS = slice(18, 20)
"""Where a database says that it is in WAL mode (2, 2) or not (1, 1)."""


def merge_index_db(existing: bytes, ours: bytes) -> bytes:
    """The user's database with our rows in it; ours win.

    Raises:
        TargetError: what is there is no database of pnpm's.
    """
    if not existing:
        return ours
    try:
        with closing(_opened(ours)) as source, closing(_opened(existing)) as target:
            target.execute(TABLE_SQL.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1))
            every = f"SELECT key, data FROM {TABLE} ORDER BY key"  # noqa: S608
            known = dict(target.execute(every))
            new = [row for row in source.execute(every) if known.get(row[0]) != row[1]]
            if not new:
                return existing
            insert = f"INSERT OR REPLACE INTO {TABLE} (key, data) VALUES (?, ?)"  # noqa: S608
            target.executemany(insert, new)
            target.commit()
            return target.serialize()
    except sqlite3.Error as error:
        raise TargetError(
            f"the index of pnpm's store cannot be read: {error}",
            where="index.db",
            fix="Remove it (pnpm makes a new one), or unpack to a prefix.",
        ) from None


def _opened(data: bytes) -> sqlite3.Connection:
    """A database in memory, where there is no WAL."""
    connection = sqlite3.connect(":memory:")
    plain = bytearray(data)
    plain[_FORMAT_VERSIONS] = b"\1\1"
    connection.deserialize(bytes(plain))
    return connection
