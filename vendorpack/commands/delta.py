"""What one bundle has over another: `diff`, and the base of a delta."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from vendorpack.bundle.plan import Base
from vendorpack.changes import Change, changes
from vendorpack.commands.using import manifest_of
from vendorpack.console import Console, plain
from vendorpack.model import Json
from vendorpack.progress import human

_COMMENT: Final = 60_000
"""Characters of a table: GitHub takes 65,536 in a comment."""


def read_base(path: Path) -> Base:
    """The base that a bundle, a delta or an unpacked one makes. Raises `BundleError`."""
    manifest, bundle_id = manifest_of(path)
    return Base.of(bundle_id, manifest)


def diff(old_path: Path, new_path: Path, markdown: bool, console: Console) -> None:
    """List what changed between two bundles, or unpacked ones.

    markdown: as GitHub, GitLab and others show it in a comment.
    """
    old, old_id = manifest_of(old_path)
    new, new_id = manifest_of(new_path)
    found = changes(old, new)
    rows = Base.of(old_id, old).rows
    lacking = [file for file in new.files if file[:4] not in rows]
    if console.as_json:
        answer: dict[str, Any] = {
            "old": {"id": old_id, "key": old.head.key, "size": old.size()},
            "new": {"id": new_id, "key": new.head.key, "size": new.size()},
            "new_files": len(lacking),
            "new_size": sum(file.size for file in lacking),
        }
        for kind in ("added", "removed", "changed"):
            answer[kind] = [_record(change) for change in found if change.kind == kind]
        console.answer_json(answer)
        return
    if markdown:
        console.answer_lines(markdown_table(found))
    else:
        console.answer_table(_rows(found))
    counts = dict.fromkeys(("added", "removed", "changed"), 0)
    for change in found:
        counts[change.kind] += 1
    console.answer(
        ", ".join(f"{count} {kind}" for kind, count in counts.items())
        + f"; {human(old.size())} -> {human(new.size())}, "
        f"of which {human(sum(file.size for file in lacking))} in {len(lacking)} files are new"
    )


def _record(change: Change) -> Mapping[str, Json]:
    record: dict[str, Json] = {"format": change.format, "name": change.name}
    sides = (
        ("old", change.old, change.old_license, change.old_trust),
        ("new", change.new, change.new_license, change.new_trust),
    )
    for word, release, declared, trust in sides:
        if release is not None:
            version, sha256, size = release
            said: dict[str, Json] = {"license": declared} if declared else {}
            said |= {"trust": trust} if trust else {}
            record[word] = {"version": version, "sha256": sha256, "size": size, **said}
    return record


def markdown_table(found: Iterable[Change]) -> list[str]:
    """The changes as a table, if there are any; cut where a comment would be too long."""
    rows = [
        "| " + " | ".join([sign, *(cell and _code(cell) for cell in cells[:5]), *cells[5:]]) + " |"
        for sign, *cells in _rows(found)
    ]
    if not rows:
        return []
    lengths = accumulate(len(row) + 1 for row in rows)
    shown = [row for row, length in zip(rows, lengths, strict=True) if length <= _COMMENT]
    head = [
        "| | format | package | version | licence | hash from | size | growth |",
        "|---|---|---|---|---|---|---|---:|",
    ]
    left = [f"… and {len(rows) - len(shown)} more", ""] if len(rows) > len(shown) else []
    return [*head, *shown, "", *left]


def _code(text: str) -> str:
    """A code span: nothing in it is a link, a mention, HTML, or the end of a table's cell."""
    text = plain(text)
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if "`" in text or not text.strip() else ""
    return fence + pad + text.replace("|", "\\|") + pad + fence


def _rows(found: Iterable[Change]) -> list[tuple[str, ...]]:
    signs = {"added": "+", "removed": "-", "changed": "~"}
    return [
        (
            signs[change.kind],
            change.format,
            change.name,
            " -> ".join(release[0] for release in (change.old, change.new) if release),
            change.licenses,
            change.trusts,
            " -> ".join(human(release[2]) for release in (change.old, change.new) if release),
            f"{'-' if change.growth < 0 else '+'}{human(abs(change.growth))}",
        )
        for change in found
    ]
