"""The files of a package as pnpm unpacks it, and what it reads in its package.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.git.checkout import checked_out
from vendorpack.formats._shared.git.pack import read_pack
from vendorpack.formats._shared.git.repository import commit_of
from vendorpack.formats._shared.npm.package import HASHED_PACKAGE, PackageFile, check_path
from vendorpack.formats.pnpm.artifacts import PnpmArtifact, PnpmRuntime
from vendorpack.formats.pnpm.runtimes import runtime_files
from vendorpack.model import Packed, Slice, Warning
from vendorpack.room import Workshop

_MANIFEST: Final = "package.json"
_INSTALL_SCRIPTS: Final = ("preinstall", "install", "postinstall")
_PUBLISH_SCRIPTS: Final = ("prepublish", "prepack", "publish")


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A file: its mode as stored, size, sha512, and where its bytes are."""

    mode: int
    size: int
    sha512: bytes
    content: Slice | bytes


def is_tarball(artifact: PnpmArtifact) -> bool:
    """Whether it is a package's tarball, which `HASHED_PACKAGE` opens."""
    return not isinstance(artifact, PnpmRuntime) and not artifact.is_commit


def unpacked(packed: Packed, workshop: Workshop) -> dict[str, Unpacked]:
    """Path to file.

    Of what a git host has, all that is in the commit's tree (or in the host's archive): pnpm would
    leave out what npm does not publish. Raises `UnsupportedError`.
    """
    artifact = packed.artifact
    assert isinstance(artifact, PnpmArtifact)
    if isinstance(artifact, PnpmRuntime):
        data = workshop.read(packed.blob)
        files = runtime_files(data, artifact.name, artifact.version, artifact.variant)
        return {path: _in_memory(file) for path, file in files.items()}
    if artifact.is_commit:
        found = {path: _in_memory(file) for path, file in _of_commit(packed, workshop)}
    else:
        opened = HASHED_PACKAGE.open(packed.blob, workshop, str(artifact))
        found = {
            row.path: Unpacked(row.mode, row.size, bytes.fromhex(row.sha512), opened.slice(row))
            for row in opened.rows
        }
    if not artifact.folder:
        return found
    start = f"{artifact.folder}/"
    below = {p.removeprefix(start): file for p, file in found.items() if p.startswith(start)}
    if not below:
        raise UnsupportedError(
            f"{artifact} has no folder {artifact.folder!r}", where=artifact.where
        )
    return below


def read_manifest(files: Mapping[str, Unpacked], workshop: Workshop) -> dict[str, Any]:
    """package.json; empty if it is not one (then pnpm fails at it, here or there)."""
    content = files[_MANIFEST].content if _MANIFEST in files else b"{}"
    data = content if isinstance(content, bytes) else workshop.read(content)
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def word(manifest: Mapping[str, Any], key: str) -> str:
    """A text of package.json; empty if it is none."""
    value = manifest.get(key)
    return value if isinstance(value, str) else ""


def requires_build(manifest: Mapping[str, Any], files: Mapping[str, Unpacked]) -> bool:
    """Whether it has install scripts, or files that imply some."""
    return (
        _has_script(manifest, _INSTALL_SCRIPTS)
        or "binding.gyp" in files
        or any(path.startswith(".hooks/") for path in files)
    )


def requires_prepare(manifest: Mapping[str, Any], files: Mapping[str, Unpacked]) -> bool:
    """Whether pnpm would build what a git host has before it packs it (`packageShouldBeBuilt`)."""
    if _has_script(manifest, ("prepare",)):
        return True
    main = (word(manifest, "main") or "index.js").removeprefix("./")
    return _has_script(manifest, _PUBLISH_SCRIPTS) and main not in files


def prepare_warnings(packed: Sequence[Packed], workshop: Workshop) -> Iterator[Warning]:
    """Packages of git hosts that only `--ignore-scripts` installs offline."""
    for one in packed:
        artifact = one.artifact
        if not isinstance(artifact, PnpmArtifact) or not artifact.git_hosted:
            continue
        files = unpacked(one, workshop)
        if requires_prepare(read_manifest(files, workshop), files):
            yield Warning(
                f"{artifact.name} comes from a git host and is built before it is packed (prepare "
                "or the like): pnpm can install it offline with --ignore-scripts only",
                artifact.where,
            )


def _in_memory(file: PackageFile) -> Unpacked:
    content = bytes(file.data)
    return Unpacked(file.mode, len(content), hashlib.sha512(content).digest(), content)


def _of_commit(packed: Packed, workshop: Workshop) -> Iterator[tuple[str, PackageFile]]:
    with workshop.open(packed.blob) as file:
        for item in checked_out(read_pack(file, len(commit_of(packed.artifact))), file):
            if not item.is_link:
                check_path(item.path, str(packed.artifact))
                mode = 0o755 if item.is_executable else 0o644
                yield item.path, PackageFile(memoryview(item.data), mode)


def _has_script(manifest: Mapping[str, Any], names: Sequence[str]) -> bool:
    scripts = manifest.get("scripts")
    return isinstance(scripts, dict) and any(scripts.get(name) for name in names)
