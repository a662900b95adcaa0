"""A Maven repository as a tree of files, for clients without network.

::

    <root>/
      <group>/<artifact>/<version>/<file>             every file that is locked
      <group>/<artifact>/<version>/_remote.repositories   where they came from, if a client asks
      <group>/<artifact>/maven-metadata-local.xml     which versions there are: for version ranges
      <group>/maven-metadata-local.xml                plugins by their prefix (`mvn dependency:…`)

Files without `_remote.repositories` count as installed by hand, and serve any repository and any
mirror. The metadata lists what is locked and nothing else, so that a range resolves as it did.

Seen with Maven 3.6.3, 3.8.7, 3.9.6, 3.9.16, 3.10.0 and 4.0.0-rc-4, network cut off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.archives import zip_archive
from vendorpack.formats._shared.maven.files import Coordinates, MavenFile, coordinates
from vendorpack.formats._shared.text.xml_text import load_xml
from vendorpack.model import Entry, Packed
from vendorpack.room import Workshop

METADATA: Final = "maven-metadata-local.xml"
TRACKING: Final = "_remote.repositories"

_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n<metadata>\n'
_DESCRIPTOR: Final = "META-INF/maven/plugin.xml"
_MAX_DESCRIPTOR: Final = 16 << 20
_PLUGIN: Final = re.compile(r"(?:maven-(?P<own>.+)-plugin|(?P<other>.+)-maven-plugin)")
_NUMBERS: Final = re.compile(r"\d+|[^\d.]+")


def layout(root: str, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    """The tree's entries: files in artifact order, then what is written for clients.

    Raises `UnsupportedError` if two lockfiles want one path to be two files.
    """
    seen: dict[str, Packed] = {}
    for one in packed:
        artifact = one.artifact
        assert isinstance(artifact, MavenFile)
        known = seen.setdefault(artifact.path, one)
        if known is one:
            yield Entry(f"{root}/{artifact.path}", one.blob, artifact=artifact)
        elif known.blob != one.blob:
            raise UnsupportedError(
                f"{artifact.path} is pinned twice, with different hashes",
                where=f"{known.artifact.where} and {artifact.where}",
                fix="Record the lock anew with one build, or pack each alone.",
            )
    files = {path: coordinates(path, path) for path in seen}
    made = {**_tracking(seen, files), **_versions(files), **_prefixes(seen, files, workshop)}
    for path in sorted(made):
        yield Entry(f"{root}/{path}", made[path])


def is_place_of(root: str, path: str, name: str, version: str) -> bool:
    """Whether a path of the bundle is one of a package's: the folders say whose it is."""
    group, _, artifact = name.partition(":")
    return path.startswith(f"{root}/{group.replace('.', '/')}/{artifact}/{version}/")


def merged(path: str, existing: bytes, ours: bytes) -> bytes:
    """What a user's own repository has at `path`, and ours."""
    name = path.rpartition("/")[2]
    if name == TRACKING:
        return b"".join(sorted({*_lines(existing), *_lines(ours)}))
    if name == METADATA:
        return _merged_metadata(existing, ours, path)
    return ours


def _lines(data: bytes) -> list[bytes]:
    return [line + b"\n" for line in data.splitlines() if line and not line.startswith(b"#")]


def _merged_metadata(existing: bytes, ours: bytes, path: str) -> bytes:
    try:
        known, new = load_xml(existing, path), load_xml(ours, path)
    except LockfileError:
        return ours
    versions = {v.text for one in (known, new) for v in one.all("versioning/versions/version")}
    plugins = {
        plugin.get("prefix"): (plugin.get("name"), plugin.get("artifactId"))
        for one in (known, new)
        for plugin in one.all("plugins/plugin")
    }
    group, artifact = (new.get(name) for name in ("groupId", "artifactId"))
    return _metadata(group, artifact, versions, plugins).encode()


def _tracking(seen: Mapping[str, Packed], files: Mapping[str, Coordinates]) -> dict[str, bytes]:
    lines: dict[str, list[str]] = {}
    for path, one in seen.items():
        assert isinstance(one.artifact, MavenFile)
        for origin in one.artifact.origins:
            folder = path.rpartition("/")[0]
            lines.setdefault(f"{folder}/{TRACKING}", []).append(
                f"{files[path].file_name}>{origin}=\n"
            )
    return {path: "".join(sorted(those)).encode() for path, those in lines.items()}


def _versions(files: Mapping[str, Coordinates]) -> dict[str, bytes]:
    """Of everything with a locked POM: which versions there are."""
    found: dict[tuple[str, str], set[str]] = {}
    for file in files.values():
        if file.type == "pom":
            found.setdefault((file.group, file.artifact), set()).add(file.version)
    return {
        f"{group.replace('.', '/')}/{artifact}/{METADATA}": _metadata(
            group, artifact, versions, {}
        ).encode()
        for (group, artifact), versions in found.items()
    }


def _prefixes(
    seen: Mapping[str, Packed], files: Mapping[str, Coordinates], workshop: Workshop
) -> dict[str, bytes]:
    """Of every group with locked plugins: what their goals begin with."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for path, file in files.items():
        if file.type != "jar" or file.classifier or not file.artifact.endswith("-plugin"):
            continue
        prefix, name = _described(seen[path], workshop) or (_conventional(file.artifact), "")
        if prefix:
            found.setdefault(file.group, {})[prefix] = (name or file.artifact, file.artifact)
    return {
        f"{group.replace('.', '/')}/{METADATA}": _metadata("", "", set(), plugins).encode()
        for group, plugins in found.items()
    }


def _described(one: Packed, workshop: Workshop) -> tuple[str, str] | None:
    """Prefix and name from a plugin's own descriptor; None if the jar is no plugin."""
    label = str(one.artifact)
    try:
        with workshop.open(one.blob) as file:
            for member in zip_archive.members(file, label=label):
                if member.name == _DESCRIPTOR and member.size <= _MAX_DESCRIPTOR:
                    data = b"".join(zip_archive.chunks(file, member, label=label))
                    plugin = load_xml(data, f"{label}: {_DESCRIPTOR}")
                    return plugin.get("goalPrefix"), plugin.get("name")
    except (LockfileError, UnsupportedError):
        pass  # a jar that our reader does not trust; Maven may: only its prefix is not known
    return None


def _conventional(artifact: str) -> str:
    match = _PLUGIN.fullmatch(artifact)
    return (match["own"] or match["other"]) if match else ""


def _metadata(
    group: str, artifact: str, versions: set[str], plugins: Mapping[str, tuple[str, str]]
) -> str:
    text = _HEAD
    if group:
        text += f"  <groupId>{escape(group)}</groupId>\n"
    if artifact:
        text += f"  <artifactId>{escape(artifact)}</artifactId>\n"
    if plugins:
        text += "  <plugins>\n"
        for prefix, (name, plugin) in sorted(plugins.items()):
            text += (
                f"    <plugin>\n      <name>{escape(name)}</name>\n"
                f"      <prefix>{escape(prefix)}</prefix>\n"
                f"      <artifactId>{escape(plugin)}</artifactId>\n    </plugin>\n"
            )
        text += "  </plugins>\n"
    if versions:
        ordered = sorted(versions, key=_version_order)
        text += f"  <versioning>\n    <release>{escape(ordered[-1])}</release>\n    <versions>\n"
        text += "".join(f"      <version>{escape(v)}</version>\n" for v in ordered)
        text += "    </versions>\n  </versioning>\n"
    return text + "</metadata>\n"


def _version_order(version: str) -> list[tuple[int, int, str]]:
    """Numbers by their value; a total order is all that is asked of it."""
    parts = _NUMBERS.findall(version)
    return [(1, int(p), "") if p.isdigit() else (0, 0, p) for p in parts] + [(0, 1, version)]
