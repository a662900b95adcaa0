"""Extras: files that no package manager locks but that an install needs, by address and hash.

`lockfile` reads artifacts.lock.yaml, `wrappers` the properties files of Gradle's and Maven's
wrappers, `recipes` say where a file lies and which variable leads there. What no recipe knows is a
plain file::

    extras/files/<filename>         VENDORPACK_FILES is the folder

`run --serve` offers these over http, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from vendorpack.demands import Contents, Demand
from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.npm.folders import user_caches
from vendorpack.formats.extras import recipes
from vendorpack.formats.extras.artifacts import Extra, extra, origins
from vendorpack.formats.extras.lockfile import (
    NAME,
    SETTLING,
    Pin,
    block,
    parse_artifacts_lock,
    settled,
    with_artifacts,
)
from vendorpack.formats.extras.recipe import ROOT, Source, folder_variable
from vendorpack.formats.extras.recipes.prebuild_install import NODE_PRE_GYP
from vendorpack.formats.extras.recipes.prebuild_install import RECIPE as PREBUILT_ADDON
from vendorpack.formats.extras.wrappers import parse_wrapper
from vendorpack.model import (
    Access,
    Artifact,
    Blob,
    Entry,
    Environment,
    Json,
    Lockfile,
    Options,
    Packed,
    Slice,
    Wanted,
    Warning,
)
from vendorpack.project import Host, Project
from vendorpack.room import Supplement, Workshop

FILES: Final = f"{ROOT}/files"
FILES_ADDRESS: Final = "VENDORPACK_FILES_URL"


class Extras(Supplement):
    """Extras."""

    name = "extras"
    title = "extras"
    layout_version = 2
    command = "any install, with its scripts"
    opens_artifacts = True
    addition = NAME
    plain_files = FILES
    settling = f"{SETTLING} NAME"

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read artifacts.lock.yaml or a wrapper's properties; see `Format.read`."""
        pins: Sequence[Pin]
        warnings: tuple[Warning, ...] = ()
        if project.lockfile.name.endswith(".properties"):
            pin, warnings = parse_wrapper(project)
            pins = () if pin is None else (pin,)
        else:
            pins = parse_artifacts_lock(project)
        artifacts = [extra(p.url, p.integrity, p.place, p.where, purl=p.purl) for p in pins]
        return Lockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=tuple(sorted(artifacts, key=_order)),
            access=Access(
                origins=origins(pin.url for pin in pins),
                credentials=tuple(pin.credential for pin in pins if pin.credential is not None),
            ),
            warnings=warnings,
            settled=settled(project),
        )

    def opens(self, artifact: Artifact) -> bool:
        """Whether its recipe unpacks it."""
        known = recipes.find(artifact.url or "")
        return known is not None and known[0].opens

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Nothing but the lockfile decides."""
        return {}

    def pins(self, wanted: Sequence[Wanted]) -> Lockfile:
        """A lockfile of these files; see `Supplement.pins`."""
        found = [
            extra(one.url, one.integrity, one.place or _file_name(one.url), NAME)
            for one in wanted
            if one.url is not None
        ]
        return Lockfile(
            path=NAME,
            format=self.name,
            artifacts=tuple(found),
            access=Access(origins=origins(one.url or "" for one in found)),
        )

    def added(self, text: bytes | None, files: Sequence[tuple[Artifact, str]]) -> bytes:
        """The lockfile with these files; see `Supplement.added`."""
        blocks = []
        for one, comment in files:
            assert isinstance(one, Extra) and one.url is not None
            blocks.append(block(Pin(one.url, one.integrity, one.place, NAME), comment))
        return with_artifacts(text, NAME, blocks)

    def served(self, names: Sequence[str], address: str) -> Mapping[str, str]:
        """Where node-pre-gyp looks for what is its; for all else the address itself."""
        modules = {m[1] for name in names if (m := NODE_PRE_GYP.search(name))}
        return {
            FILES_ADDRESS: address,
            **{
                # The client turns the first dash alone into `_`.
                f"npm_config_{module.replace('-', '_', 1)}_binary_host_mirror": address
                for module in sorted(modules)
            },
        }

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """Each file where its recipe wants it, else below `extras/files`."""
        taken: dict[str, tuple[Artifact | None, Blob | Slice | bytes | None]] = {}
        for one in packed:
            for entry in _lay(one, workshop):
                content = entry.content
                if isinstance(content, bytes):
                    content = hashlib.sha256(content).digest()
                other, known = taken.setdefault(entry.path, (entry.artifact, content))
                if other is entry.artifact:
                    yield entry
                elif known != content:
                    raise UnsupportedError(
                        f"{other} and {entry.artifact} both belong to {entry.path}",
                        where=_wheres(other, entry.artifact),
                        fix="A bundle can have one of them: pack them into a bundle each.",
                    )

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """The variables of the recipes that there are files of."""
        found = set()
        for one in packed:
            known = recipes.find(one.artifact.url or "")
            found |= set(
                known[0].variables if known else (folder_variable("VENDORPACK_FILES", FILES),)
            )
        return Environment(tuple(sorted(found)))

    def explain_request(self, url: str) -> str | None:
        """Say how a file that a recipe knows gets into the bundle."""
        if NODE_PRE_GYP.search(recipes.path_of(url)):
            return (
                "node-pre-gyp takes that by http alone: pin it in artifacts.lock.yaml, and install "
                "with `vendorpack run --serve`; or pack Node's headers, and set "
                "npm_config_build_from_source=true so that it compiles at once"
            )
        known = recipes.find(url)
        if known is None:
            return None
        if known[0] is PREBUILT_ADDON:
            return (
                "`vendorpack extras --write --prebuilt` pins it in artifacts.lock.yaml; or pack "
                "Node's headers (`vendorpack extras --write`), and set "
                "npm_config_build_from_source=true so that it compiles at once"
            )
        if known[0].is_found:
            return (
                "`vendorpack extras --write` pins it in artifacts.lock.yaml; or write its "
                "download_url and checksum there, and pack both lockfiles"
            )
        return (
            "write its download_url and checksum into artifacts.lock.yaml, and pack both lockfiles"
        )

    def demands(self, contents: Contents) -> Sequence[Demand]:
        """Nothing of its own: its files are for other formats' installs."""
        return ()

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """The clients' own folders; what needs a variable to be found lies with vendorpack's."""
        own = {FILES: user_caches(host) / "vendorpack" / "files"}
        return {**{recipe.folder: recipe.native(host) for recipe in recipes.RECIPES}, **own}


def _lay(packed: Packed, workshop: Workshop) -> Iterator[Entry]:
    artifact = packed.artifact
    assert isinstance(artifact, Extra) and artifact.url is not None
    known = recipes.find(artifact.url)
    if known is None:
        return iter([Entry(f"{FILES}/{artifact.place}", packed.blob, artifact=artifact)])
    recipe, match = known
    path = recipes.path_of(artifact.url)
    return recipe.lay(Source(artifact, packed.blob, path, match, artifact.place), workshop)


def _file_name(url: str) -> str:
    return recipes.path_of(url).rpartition("/")[2]


def _wheres(*artifacts: Artifact | None) -> str:
    return " and ".join(a.where for a in artifacts if a is not None)


def _order(artifact: Artifact) -> tuple[str, str, str]:
    return artifact.name, artifact.version, artifact.url or ""


FORMAT = Extras()
