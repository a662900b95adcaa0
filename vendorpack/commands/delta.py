"""What one bundle has over another: `diff`, and the base of a delta."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, TypeAlias

from vendorpack.bundle.manifest import Manifest
from vendorpack.bundle.plan import Base
from vendorpack.commands.using import manifest_of
from vendorpack.console import Console, plain
from vendorpack.model import Json
from vendorpack.progress import human

_COMMENT: Final = 60_000
"""Characters of a table: GitHub takes 65,536 in a comment."""

Package: TypeAlias = tuple[str, str]
"""Format and name."""
Release: TypeAlias = tuple[str, str, int]
"""Version, sha256, and size in bytes."""


def read_base(path: Path) -> Base:
    """The base that a bundle, a delta or an unpacked one makes. Raises `BundleError`."""
    manifest, bundle_id = manifest_of(path)
    return Base.of(bundle_id, manifest)


@dataclass(frozen=True, slots=True)
class Change:
    """A release of a package that came, went, or took another's place.

    old, new: None where there is none.
    """

    format: str
    name: str
    old: Release | None
    new: Release | None

    @property
    def kind(self) -> str:
        """added, removed or changed."""
        if self.old is None:
            return "added"
        return "removed" if self.new is None else "changed"

    @property
    def growth(self) -> int:
        """Bytes that the artifacts are larger now."""
        return (self.new[2] if self.new else 0) - (self.old[2] if self.old else 0)


def changes(old: Manifest, new: Manifest) -> tuple[Change, ...]:
    """Every release that is not in both, by format and name.

    Of a package that several releases went and came of, they are paired in order.
    """
    before, after = _releases(old), _releases(new)
    found = []
    for package in sorted(before.keys() | after.keys()):
        gone = sorted(before.get(package, set()) - after.get(package, set()))
        come = sorted(after.get(package, set()) - before.get(package, set()))
        for index in range(max(len(gone), len(come))):
            found.append(
                Change(
                    *package,
                    gone[index] if index < len(gone) else None,
                    come[index] if index < len(come) else None,
                )
            )
    return tuple(found)


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


def _releases(manifest: Manifest) -> dict[Package, set[Release]]:
    found: dict[Package, set[Release]] = {}
    for record in manifest.head.artifacts:
        size = record.get("size")
        release = (
            str(record.get("version", "")),
            str(record.get("sha256", "")),
            size if isinstance(size, int) else 0,
        )
        package = (str(record.get("format", "")), str(record.get("name", "")))
        found.setdefault(package, set()).add(release)
    return found


def _record(change: Change) -> Mapping[str, Json]:
    record: dict[str, Json] = {"format": change.format, "name": change.name}
    for word, release in (("old", change.old), ("new", change.new)):
        if release is not None:
            version, sha256, size = release
            record[word] = {"version": version, "sha256": sha256, "size": size}
    return record


def markdown_table(found: Iterable[Change]) -> list[str]:
    """The changes as a table, if there are any; cut where a comment would be too long."""
    rows = [
        "| " + " | ".join([sign, *map(_code, cells[:3]), *cells[3:]]) + " |"
        for sign, *cells in _rows(found)
    ]
    if not rows:
        return []
    lengths = accumulate(len(row) + 1 for row in rows)
    shown = [row for row, length in zip(rows, lengths, strict=True) if length <= _COMMENT]
    head = ["| | format | package | version | size | growth |", "|---|---|---|---|---|---:|"]
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
            " -> ".join(human(release[2]) for release in (change.old, change.new) if release),
            f"{'-' if change.growth < 0 else '+'}{human(abs(change.growth))}",
        )
        for change in found
    ]
