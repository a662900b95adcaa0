"""Runtimes (`node@runtime:24.19.0`): archives that pnpm 10 and newer unpack as a package.

The lockfile has an archive for each platform, with its address and hash::

    resolution:
      type: variations
      variants:
        - resolution:
            {type: binary, archive: tarball, url: …, integrity: …, bin: {node: bin/node}}
          targets:
            - {os: linux, cpu: x64}                 libc: musl, if that is what it is for

In the store it is a package like any other, by its archive's hash. It has a package.json that pnpm
makes up of name, version and `bin`. Of Node.js pnpm 11.25 and newer leave npm and corepack out; we
leave them out for pnpm 10 too, which links no command of theirs.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.archives import zip_archive
from vendorpack.formats._shared.npm.package import PackageFile, package_files
from vendorpack.formats._shared.npm.registry import fits
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.formats._shared.text.yaml_text import Yaml
from vendorpack.formats.pnpm.fields import REWRITE, as_mapping, mapping_of, text_of
from vendorpack.model import Target
from vendorpack.redact import redact_url

NODE_SITE: Final = "https://nodejs.org/download/"
"""Where pnpm finds Node.js unless a mirror is configured; a release channel follows."""
MUSL_SITE: Final = "https://unofficial-builds.nodejs.org/download/"
"""Where it finds builds of Node.js for musl."""

_EXTRAS: Final = re.compile(
    r"(?:lib/)?node_modules/(?:npm|corepack)/.*|bin/(?:npm|npx|corepack)"
    r"|(?:npm|npx|corepack)(?:\.(?:cmd|ps1))?"
)
_PERMISSIONS: Final = 0o777
_PLAIN: Final = 0o644


@dataclass(frozen=True, slots=True)
class Variant:
    """An archive of a runtime.

    integrity: SRI, as the lockfile has it.
    folder: what a zip's files lie in; empty for a tar, whose first folder is cut anyway.
    programs: command to path in the archive; or a path alone, for the runtime's own name.
    platforms: os, cpu and libc, in node's words, that it is for; empty for any.
    """

    url: str
    integrity: str
    is_zip: bool
    folder: str
    programs: str | tuple[tuple[str, str], ...]
    platforms: tuple[tuple[str, str, str], ...]

    def fits(self, target: Target) -> bool:
        """Whether pnpm 11 takes it there (`selectPlatformVariant`); no libc stands for glibc."""
        return not self.platforms or any(
            fits(target, os=(system,), cpu=(cpu,), libc=(libc or "glibc",))
            for system, cpu, libc in self.platforms
        )


def read_variants(resolution: Mapping[str, Yaml], where: str) -> tuple[Variant, ...]:
    """The archives of a resolution of type `variations` or `binary`.

    Raises `LockfileError`, and `UnsupportedError` for what is no archive that pnpm unpacks.
    """
    if text_of(resolution, "type", where) == "binary":
        return (_variant(resolution, (), where),)
    listed = resolution.get("variants")
    found = []
    for one in listed if isinstance(listed, list) else ():
        entry = as_mapping(one, where)
        targets = entry.get("targets")
        platforms = tuple(
            (text_of(t, "os", where), text_of(t, "cpu", where), text_of(t, "libc", where))
            for t in (as_mapping(t, where) for t in (targets if isinstance(targets, list) else ()))
        )
        found.append(_variant(mapping_of(entry, "resolution", where), platforms, where))
    if not found:
        raise LockfileError("a runtime without archives", where=where, fix=REWRITE)
    return tuple(found)


def chosen_variants(variants: Sequence[Variant], targets: Sequence[Target]) -> list[Variant]:
    """Those that pnpm takes on the targets, in the lockfile's order; no targets means all."""
    if not targets:
        return list(variants)
    wanted = {next((v for v in variants if v.fits(target)), None) for target in targets}
    return [variant for variant in variants if variant in wanted]


def mirrored(url: str, mirrors: Mapping[str, str]) -> str:
    """Where to ask for an archive of Node.js: the configured mirror of its release channel."""
    channel, slash, rest = url.removeprefix(NODE_SITE).partition("/")
    if url.startswith(NODE_SITE) and slash and channel in mirrors:
        return mirrors[channel] + rest
    return url


def runtime_files(
    archive: bytes, name: str, version: str, variant: Variant
) -> dict[str, PackageFile]:
    """Path to file, with a package.json if there is none. Raises `UnsupportedError`."""
    if variant.is_zip:
        files = _unzipped(archive, name, variant.folder)
    else:
        files = package_files(archive, name)
    found = {
        path: file for path, file in files.items() if name != "node" or not _EXTRAS.fullmatch(path)
    }
    made = PackageFile(memoryview(_manifest(name, version, variant)), _PLAIN)
    return {"package.json": made, **found}


def _variant(
    resolution: Mapping[str, Yaml], platforms: tuple[tuple[str, str, str], ...], where: str
) -> Variant:
    kind = text_of(resolution, "type", where)
    archive = text_of(resolution, "archive", where)
    if kind != "binary" or archive not in ("tarball", "zip"):
        raise UnsupportedError(
            f"an archive of a runtime is of a kind that is not known: {kind} {archive}"[:200],
            where=where,
            fix="tarball and zip are.",
        )
    url, integrity = text_of(resolution, "url", where), text_of(resolution, "integrity", where)
    if not is_http(url) or not integrity:
        raise LockfileError(
            f"an archive of a runtime has no address or no integrity: {redact_url(url)[:200]}",
            where=where,
            fix=REWRITE,
        )
    return Variant(
        url,
        integrity,
        is_zip=archive == "zip",
        folder=text_of(resolution, "prefix", where),
        programs=_programs(resolution, where),
        platforms=platforms,
    )


def _programs(resolution: Mapping[str, Yaml], where: str) -> str | tuple[tuple[str, str], ...]:
    if isinstance(resolution.get("bin"), str):
        return text_of(resolution, "bin", where)
    programs = mapping_of(resolution, "bin", where)
    return tuple((command, text_of(programs, command, where)) for command in programs)


def _manifest(name: str, version: str, variant: Variant) -> bytes:
    """The package.json that pnpm makes up (`addManifestToCafs`)."""
    programs = variant.programs if isinstance(variant.programs, str) else dict(variant.programs)
    value = {"name": name, "version": version, "bin": programs}
    return json.dumps(value, indent=2, ensure_ascii=False).encode()


def _unzipped(archive: bytes, label: str, folder: str) -> dict[str, PackageFile]:
    file = io.BytesIO(archive)
    start = f"{folder}/" if folder else ""
    return {
        member.name.removeprefix(start): PackageFile(
            memoryview(b"".join(zip_archive.chunks(file, member, label=label))),
            member.mode & _PERMISSIONS or _PLAIN,
        )
        for member in zip_archive.members(file, label=label)
        if not member.is_directory and member.name.startswith(start)
    }
