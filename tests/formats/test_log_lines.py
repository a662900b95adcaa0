"""What a lockfile says begins no line of a log, whatever room reads it: `::error` is a command."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.formats.samples import SAMPLES
from vendorpack.commands import packing
from vendorpack.console import Console
from vendorpack.discover import discover
from vendorpack.errors import VendorpackError
from vendorpack.formats import BUILTIN
from vendorpack.policy import Policy
from vendorpack.project import Host

COMMAND = "::error file=x::y"
ADDED = {
    "line feed": f"\n{COMMAND}\n".encode(),
    "escaped": rf"\n{COMMAND}\n".encode(),
    "escaped twice": rf"\\n{COMMAND}".encode(),
    "return": rf"\r{COMMAND}".encode(),
    "next line": f"\x85{COMMAND}".encode(),
    "separator": f"\u2028{COMMAND}".encode(),
    "zero width": "\u200b\u2060\ufeff".encode(),
    "zero width, escaped": rb"\u200b",
    "escape": rb"\u001b[2K",
}
WORD = re.compile(rb"left|Left|tool|1\.0\.0|v1\.0\.0|\b[0-9]+\.[0-9]+\.[0-9]+\b")
MOST = 40
"""Places that are tried of one lockfile."""


def changed(data: bytes, added: bytes) -> Iterator[bytes]:
    """The lockfile with something put behind each name and version in turn."""
    places = [match.end() for match in WORD.finditer(data)]
    for place in places[:: max(1, len(places) // MOST)]:
        yield data[:place] + added + data[place:]


def said(folder: Path, format_name: str, *, as_json: bool) -> str:
    """All that `pack --dry-run` prints."""
    out, err = io.StringIO(), io.StringIO()
    console = Console(out=out, err=err, as_json=as_json)
    host = Host({}, folder / "home", "linux")
    lockfile = folder / SAMPLES[format_name].lockfile
    try:
        request = packing.Request(
            found=discover([lockfile], recursive=False, host=host, format_name=format_name),
            policy=Policy(),
            store_dir=folder / "store",
            jobs=1,
            host=host,
        )
        packing.plan(request, console)
    except VendorpackError as error:
        console.fail(error)
    if as_json and out.getvalue():
        json.loads(out.getvalue())
    return out.getvalue() + err.getvalue()


@pytest.mark.parametrize("added", ADDED)
@pytest.mark.parametrize("format_name", [room.name for room in BUILTIN])
def test_no_name_or_version_begins_a_line(format_name: str, added: str, tmp_path: Path) -> None:
    sample = SAMPLES[format_name]
    for name, data in sample.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    tried = 0
    for data in changed(sample.files[sample.lockfile], ADDED[added]):
        (tmp_path / sample.lockfile).write_bytes(data)
        for as_json in (False, True):
            text = said(tmp_path, format_name, as_json=as_json)
            assert text
            for line in re.split("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", text):
                assert not line.lstrip().startswith("::"), text
            assert not re.search("[\u200b\u2060\ufeff\x1b]", text), ascii(text)
        tried += 1
    assert tried
