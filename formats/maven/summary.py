"""Maven's own summary of trusted checksums: `.mvn/checksums/checksums…`, text to files. Pure.

A line is what `sha256sum` prints::

    <hex>  <path below the repository's root>

The file's name says whose files they are:

=================================================  =============================================
`checksums.sha256`                                 of any repository (`originAware=false`)
`checksums-<id>.sha256`                            of the repository with this id, or the mirror
                                                   that was asked in its place (Maven 3.9, 4)
`checksums-<id>-<sha1 of its address>.sha256`      the same in Maven 3.10
`checksums-workspace.sha256`                       of the project itself: nothing to fetch
=================================================  =============================================

Seen with Maven 3.9.6, 3.9.16, 3.10.0 and 4.0.0-rc-4. Recording adds to what is there, so that old
lines stay: more than is needed does no harm.
"""

from __future__ import annotations

import re
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest, DigestError
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.text.json_text import decode_utf8

_NAME: Final = re.compile(
    r"checksums(?:-(?P<id>.+?))??(?:-(?P<address>[0-9a-f]{40}))?"
    r"\.(?P<algorithm>sha512|sha256|sha1|md5)"
)
_LINE: Final = re.compile(r"(?P<hex>[0-9A-Fa-f]+) [ *](?P<path>\S(?:.*\S)?)")
_WORKSPACE: Final = "workspace"


@dataclass(frozen=True, slots=True)
class SummaryName:
    """What a summary file's name says.

    repository: its id, empty for any. address: sha1 of the repository's address, empty if it is
    not said.
    """

    repository: str
    address: str
    algorithm: str

    @property
    def is_workspace(self) -> bool:
        """Whether it lists the project's own modules."""
        return self.repository == _WORKSPACE


@dataclass(frozen=True, slots=True)
class Line:
    """A line's digest, and its number from 1."""

    digest: Digest
    number: int


def parse_name(name: str) -> SummaryName | None:
    """Read a file name; None if it is not a summary file's."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return SummaryName(match["id"] or "", match["address"] or "", match["algorithm"])


def parse_summary(data: bytes, algorithm: str, where: str) -> dict[str, Line]:
    """Path to its line, in the file's order. Raises `LockfileError` with the line."""
    found: dict[str, Line] = {}
    for number, text in enumerate(decode_utf8(data, where).splitlines(), 1):
        if not text.strip() or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise LockfileError(
                "the line is not a hash, two spaces and a path",
                where=f"{where}:{number}",
                fix="Let Maven record the file anew.",
            )
        try:
            line = Line(Digest.from_hex(algorithm, match["hex"]), number)
        except DigestError as error:
            raise LockfileError(str(error), where=f"{where}:{number}") from None
        known = found.setdefault(match["path"], line)
        if known.digest != line.digest:
            raise LockfileError(
                f"{match['path']} is pinned twice, with different hashes",
                where=f"{where}:{known.number} and {where}:{number}",
                fix="Remove the line that is wrong, or let Maven record the file anew.",
            )
    return found
