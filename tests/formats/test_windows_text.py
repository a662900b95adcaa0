"""What editors on Windows make of a lockfile: CRLF line ends, and a byte order mark before it.

Each room reads the same of it, or refuses it: a lockfile that is passed over is an empty bundle.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.samples import SAMPLES
from vendorpack.contract import Case
from vendorpack.errors import VendorpackError
from vendorpack.formats import BUILTIN, Room

BOM = b"\xef\xbb\xbf"


def names(case: Case, name: str, lock: bytes) -> list[tuple[str, str]]:
    project = case.project(name, lock)
    case.room.fingerprint(project, case.sample.options)
    read = case.room.read(project, case.sample.options)
    return sorted((artifact.name, artifact.version) for artifact in read.artifacts)


@pytest.mark.parametrize("change", ["CRLF", "BOM", "both"])
@pytest.mark.parametrize("row", BUILTIN, ids=lambda row: row.name)
def test_the_same_or_refused(row: Room, change: str, tmp_path: Path) -> None:
    sample = SAMPLES[row.name]
    case = Case(row, sample, tmp_path)
    lock = sample.files[sample.lockfile]
    written = lock if change == "BOM" else lock.replace(b"\n", b"\r\n")
    if change != "CRLF":
        written = BOM + written
    try:
        read = names(case, "changed", written)
    except VendorpackError as error:
        assert change != "CRLF", error.what
        assert error.where, error.what
        return
    assert read == names(case, "plain", lock)
