"""An address that is none, wherever a lockfile has one: refused by name, in every room."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.formats.samples import SAMPLES
from vendorpack.contract import Case
from vendorpack.errors import VendorpackError
from vendorpack.formats import BUILTIN, Room
from vendorpack.policy import Policy

NO_HOSTS = (b"https://[", b"https://[zz]", b"https://]", b"https://h:port/", b"https://")
"""What Python's `urlsplit` raises `ValueError` for, at once or once it is asked."""


@pytest.mark.parametrize("row", BUILTIN, ids=lambda row: row.name)
@pytest.mark.parametrize("bad", NO_HOSTS, ids=lambda bad: bad.decode())
def test_no_address(row: Room, bad: bytes, tmp_path: Path) -> None:
    """Read, or refused with a message of ours; what is read is judged by its hosts then."""
    sample = SAMPLES[row.name]
    case = Case(row, sample, tmp_path)
    lock = sample.files[sample.lockfile]
    for number, match in enumerate(re.finditer(rb"https?://", lock)):
        spoilt = lock[: match.start()] + bad + lock[match.end() :]
        project = case.project(f"project-{number}", spoilt)
        try:
            case.room.fingerprint(project, sample.options)
            read = case.room.read(project, sample.options)
            Policy().trusting(read.access.origins).check_hosts(read.artifacts)
        except VendorpackError:
            continue
