"""The artifacts' table: what a manifest says of each artifact, each kept as its text.

A record as an object takes 1.7 kB and more; its text is a third of that. A bundle may have fifty
thousand.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import eq
from typing import Any, Final, NoReturn, overload

from vendorpack.model import Json

Record = Mapping[str, Json]


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:20]} is no whole number")


DECODER: Final = json.JSONDecoder(parse_float=_no_number, parse_constant=_no_number)
"""Reads JSON as manifests have it: its numbers are whole."""


def canonical(value: Any) -> bytes:
    """A value's canonical text: sorted keys, no white space, UTF-8. Raises `ValueError`."""
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


class Records(Sequence[Record]):
    """Records, each read from its canonical text when it is asked for.

    Raises `ValueError`, `TypeError` or `RecursionError` for a record that has no such text.
    """

    __slots__ = ("_last", "_texts")

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._texts = [canonical(dict(record)) for record in records]
        self._last: tuple[int, Record] = (-1, {})

    @property
    def texts(self) -> Sequence[bytes]:
        """The canonical text of each."""
        return self._texts

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return list(map(self._record, range(*index.indices(len(self)))))
        return self._record(range(len(self))[index])

    def __iter__(self) -> Iterator[Record]:
        return map(self._record, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    def __hash__(self) -> int:
        return hash(tuple(self._texts))

    def _record(self, index: int) -> Record:
        # The files of an artifact stand together, and each asks for it.
        if self._last[0] != index:
            self._last = (index, DECODER.decode(self._texts[index].decode()))
        return self._last[1]


def as_records(records: Sequence[Record]) -> Records:
    """The same as `Records`."""
    return records if isinstance(records, Records) else Records(records)


def read_records(text: str, at: int) -> tuple[Records, int]:
    """The records of the list that stands at `at`, and where it ends. Raises as `Records`."""
    end = at

    def records() -> Iterator[Record]:
        nonlocal end
        if text[at : at + 1] != "[":
            raise ValueError("artifacts: not a list")
        end = at + 1
        while text[end : end + 1] != "]":
            if end > at + 1:
                if text[end : end + 1] != ",":
                    raise ValueError("artifacts: not a list")
                end += 1
            record, end = DECODER.raw_decode(text, end)
            if type(record) is not dict:
                raise ValueError("an artifact is not an object")
            yield record
        end += 1

    return Records(records()), end
