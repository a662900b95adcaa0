"""The licences in a gem's specification: https://guides.rubygems.org/specification-reference/.

It is YAML as Ruby writes it: a key of the specification itself stands at the beginning of a line,
and so do the lines of a list below it.
"""

from __future__ import annotations

import re
from typing import BinaryIO, Final

from vendorpack.formats._shared.archives.tarball import first_file, unpack
from vendorpack.formats._shared.git.license import commit_reader
from vendorpack.formats._shared.text.license_names import listed
from vendorpack.formats.bundler.artifacts import Commit, Gem
from vendorpack.model import Artifact, LicenseReader

_MAX_SPECIFICATION: Final = 16 << 20
_LICENSES: Final = re.compile(r"^licenses:[ ]*\n((?:- .*\n)+)", re.MULTILINE)


def reader_of(artifact: Artifact) -> LicenseReader | None:
    """How an artifact is asked; a commit by its licence's text, as its specification is Ruby."""
    if isinstance(artifact, Commit):
        return commit_reader("gem", artifact)
    return _GEM if isinstance(artifact, Gem) else None


def of_specification(data: bytes) -> str:
    """The licences that a specification lists; how they go together it does not say."""
    match = _LICENSES.search(data.decode("utf-8", "replace"))
    lines = match[1].splitlines() if match else []
    return listed(line[2:].strip().strip("'\"") for line in lines)


def _read(archive: BinaryIO) -> str:
    data = first_file(archive, "metadata.gz", label="gem")
    if data is None:
        return ""
    return of_specification(unpack(data, label="gem", max_size=_MAX_SPECIFICATION))


_GEM: Final = LicenseReader("gem-license-1", _read)
