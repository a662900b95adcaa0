"""An index made of a few files, and what the engine does with a room's answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence

from tests.memory import MemoryWorkshop
from tests.world.distributions import Pages, sha256
from vendorpack.formats._shared.python.index import DEFAULT_INDEX, normalize
from vendorpack.formats._shared.python.wheelhouse_room import WheelhouseFormat
from vendorpack.model import Artifact, Lockfile, Options, Packed
from vendorpack.project import Project

JSON = "application/vnd.pypi.simple.v1+json"
FILES = "https://files.example/"


class MemoryPypi:
    """Files by name, on one or several indexes."""

    def __init__(
        self,
        files: Mapping[str, bytes],
        *,
        index: str = DEFAULT_INDEX,
        yanked: Sequence[str] = (),
        more: Mapping[str, Mapping[str, bytes]] | None = None,
    ) -> None:
        """`more`: files of further indexes, by their base address."""
        self.urls: dict[str, bytes] = {}
        answers: dict[str, tuple[str, bytes]] = {}
        for base, content in {index: files, **(more or {})}.items():
            host = FILES if base == index else base + "files/"
            listed: dict[str, list[dict[str, object]]] = {}
            for filename, data in content.items():
                url = host + filename
                self.urls[url] = data
                answers[url] = ("application/octet-stream", data)
                listed.setdefault(project_of(filename), []).append(
                    {
                        "filename": filename,
                        "url": url,
                        "hashes": {"sha256": sha256(data)},
                        "size": len(data),
                        "yanked": "broken" if filename in yanked else False,
                    }
                )
            for name, entries in listed.items():
                page = {"meta": {"api-version": "1.1"}, "name": name, "files": entries}
                answers[f"{base}{name}/"] = (JSON, json.dumps(page).encode())
        self.index = Pages(answers)

    def located(self, room: WheelhouseFormat, project: Project, options: Options) -> Lockfile:
        """What the engine has before it fetches."""
        lockfile = room.read(project, options)
        return asyncio.run(room.locate(lockfile, options, self.index))

    def packed(
        self,
        room: WheelhouseFormat,
        project: Project,
        options: Options,
        workshop: MemoryWorkshop,
    ) -> tuple[Lockfile, list[Packed]]:
        """What the engine has when everything is fetched."""
        lockfile = self.located(room, project, options)
        have: list[Packed] = []
        more: Sequence[Artifact] = lockfile.artifacts
        while True:
            have += [Packed(a, workshop.add(self.urls[a.url or ""])) for a in more]
            brought = asyncio.run(room.expand(lockfile, have, workshop, self.index))
            more = [one for one in brought if isinstance(one, Artifact)]
            if not more:
                break
        return lockfile, sorted(have, key=lambda p: (p.artifact.name, p.artifact.url or ""))


def project_of(filename: str) -> str:
    """The project that a file belongs to; names in these tests have no digits after a dash."""
    stem = filename.removesuffix(".tar.gz").removesuffix(".zip")
    name = filename.partition("-")[0] if filename.endswith(".whl") else stem.rpartition("-")[0]
    return normalize(name)


def pinned(files: Mapping[str, bytes], *names: str) -> str:
    """`--hash` options for these files."""
    return " ".join(f"--hash=sha256:{sha256(files[name])}" for name in names or files)
