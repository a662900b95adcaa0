"""What lies in the wheelhouse."""

from __future__ import annotations

import pytest

from tests.memory import MemoryWorkshop
from vendorpack.digest import Integrity
from vendorpack.formats._shared.python import wheelhouse
from vendorpack.formats._shared.python.distributions import Distribution
from vendorpack.model import Packed


@pytest.mark.parametrize(
    ("filename", "has_page"),
    [
        ("a-1.tar.gz", False),
        ("a-1.zip", False),
        ("a-1-py3-none-any.whl", False),
        ("a-1.tar.bz2", True),
        ("a-1.tar.xz", True),
        ("a-1.tgz", True),
    ],
)
def test_a_page_links_what_pip_passes_over(filename: str, has_page: bool) -> None:
    """pip 26 takes .tar.gz and .zip from a folder; pages in the folder may link others."""
    workshop = MemoryWorkshop()
    artifact = Distribution(
        name="a",
        version="1",
        purl="pkg:pypi/a@1",
        url=f"https://files.example/{filename}",
        integrity=Integrity(),
        where="requirements.txt:1",
        filename=filename,
    )
    entries = [*wheelhouse.layout([Packed(artifact, workshop.add(b"data"))], workshop)]
    file = f"pip/wheelhouse/{filename}"
    assert [entry.path for entry in entries] == [file, *([f"{file}.html"] if has_page else [])]
    if has_page:
        page = entries[1].content
        assert isinstance(page, bytes) and f'<a href="{filename}">'.encode() in page
