"""From artifacts to the cache's tree."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.memory import MemoryWorkshop
from tests.world.distributions import LINUX, Pages, options, project, sdist, sha256, wheel
from tests.world.git import Repository
from vendorpack.errors import FetchError, UnsupportedError
from vendorpack.fetch.git import fetch_commit
from vendorpack.fetch.git_client import GitAddress
from vendorpack.formats._shared.python.index import ACCEPT, DEFAULT_INDEX
from vendorpack.formats.uv import FORMAT
from vendorpack.formats.uv.cache import SDIST_BUCKETS, WHEEL_BUCKETS, digest
from vendorpack.model import Artifact, Entry, Packed, Slice, Variable
from vendorpack.room import Index

DEFAULT = DEFAULT_INDEX.rstrip("/")
INDEX = "https://index.example/simple"
FILES = "https://files.example"
ROOT = f"index/{digest(INDEX)}"
LARGE = b"\x7fELF" + bytes(8 << 20)
WHEEL = wheel("six", "1.17.0", {"six.py": b"x = 1\n", "six/lib.so": LARGE, "a/b.py": b""})
SDIST = sdist(
    "docopt",
    "0.6.2",
    {
        "setup.py": b"import setuptools\n",
        "tool.sh": b"#!/bin/sh\n",
        "link.py": b"->setup.py",
        "sub/again.py": b"->../link.py",
        "sub/out.py": b"->../../../etc/passwd",
        "sub/loop": b"->loop",
    },
)


def lock(*packages: str) -> str:
    names = ", ".join(f'{{ name = "{p.split(chr(34))[1]}" }}' for p in packages)
    app = f'name = "app"\nsource = {{ virtual = "." }}\ndependencies = [{names}]\n'
    return "version = 1\n" + "".join(f"[[package]]\n{table}\n" for table in (app, *packages))


def package(name: str, version: str, files: str, source: str = f'registry = "{INDEX}"') -> str:
    return f'name = "{name}"\nversion = "{version}"\nsource = {{ {source} }}\n{files}\n'


def entry(filename: str, data: bytes) -> str:
    return f'{{ url = "{FILES}/{filename}", hash = "sha256:{sha256(data)}", size = {len(data)} }}'


SIX = package("six", "1.17.0", f"wheels = [{entry('six-1.17.0-py2.py3-none-any.whl', WHEEL)}]")
DOCOPT = package("docopt", "0.6.2", f"sdist = {entry('docopt-0.6.2.tar.gz', SDIST)}")


def pack(
    folder: Path,
    text: str,
    contents: Mapping[str, bytes],
    workshop: MemoryWorkshop,
    index: Index | None = None,
) -> list[Packed]:
    """Everything a run would hand to the layout. contents: by the end of the address."""
    lockfile = FORMAT.read(project(folder, "uv.lock", {"uv.lock": text}), options(LINUX))
    packed: list[Packed] = []
    more: Sequence[Artifact] = lockfile.artifacts
    while more:
        for artifact in more:
            assert artifact.url is not None
            blob = workshop.add(contents[artifact.url.rpartition("/")[2]])
            packed.append(Packed(artifact, blob))
        packed.sort(key=lambda p: (p.artifact.name, p.artifact.version, p.artifact.url or ""))
        if index is None:
            break
        known = {one.artifact.url for one in packed}
        found = asyncio.run(FORMAT.expand(lockfile, packed, workshop, index))
        more = [a for a in found if isinstance(a, Artifact) and a.url not in known]
    return packed


def tree(packed: Sequence[Packed], workshop: MemoryWorkshop) -> dict[str, Entry]:
    entries = list(FORMAT.layout(packed, workshop))
    found = {entry.path: entry for entry in entries}
    assert len(found) == len(entries)
    return found


def test_a_wheel(tmp_path: Path) -> None:
    workshop = MemoryWorkshop()
    contents = {"six-1.17.0-py2.py3-none-any.whl": WHEEL}
    packed = pack(tmp_path, lock(SIX), contents, workshop)
    found = tree(packed, workshop)
    archive = {p: e for p, e in found.items() if p.startswith("uv/archive-v0/")}
    assert len({p.split("/")[2] for p in archive}) == 1
    assert {p.split("/", 3)[3]: (e.mode, len(workshop.content(e))) for p, e in archive.items()} == {
        "a/b.py": (0o644, 0),
        "six-1.17.0.dist-info/METADATA": (0o644, 71),
        "six.py": (0o644, 6),
        "six/lib.so": (0o755, len(LARGE)),
    }
    large = next(e for p, e in archive.items() if p.endswith("lib.so"))
    assert isinstance(large.content, Slice)  # not held in memory
    name = "six/1.17.0-py2.py3-none-any.http"
    assert [p for p in found if p not in archive] == [
        f"uv/{bucket.name}/{ROOT}/{name}" for bucket in WHEEL_BUCKETS
    ]
    assert list(found) == sorted(found)
    assert {e.artifact for e in found.values()} == {packed[0].artifact}
    identity = next(iter(archive)).split("/")[2].encode()
    for bucket in WHEEL_BUCKETS:
        pointer = workshop.content(found[f"uv/{bucket.name}/{ROOT}/{name}"])
        assert identity in pointer and sha256(WHEEL).encode() in pointer


def test_a_source_distribution(tmp_path: Path) -> None:
    workshop = MemoryWorkshop()
    packed = pack(tmp_path, lock(DOCOPT), {"docopt-0.6.2.tar.gz": SDIST}, workshop)
    found = tree(packed, workshop)
    for bucket in SDIST_BUCKETS:
        folder = f"uv/{bucket.name}/{ROOT}/docopt/0.6.2/"
        inside = [p for p in found if p.startswith(folder)]
        # The pointer is the last to appear, when all it points to is there.
        assert inside[-1] == f"{folder}revision.http"
        revision = inside[0].removeprefix(folder).partition("/")[0]
        assert revision.encode() in workshop.content(found[inside[-1]])
        sources = {
            p.removeprefix(f"{folder}{revision}/src/"): (
                found[p].mode,
                workshop.content(found[p]),
            )
            for p in inside[:-1]
        }
        assert sources == {
            "link.py": (0o644, b"import setuptools\n"),
            "setup.py": (0o644, b"import setuptools\n"),
            "sub/again.py": (0o644, b"import setuptools\n"),
            "tool.sh": (0o755, b"#!/bin/sh\n"),
        }
    assert len(found) == 5 * len(SDIST_BUCKETS)


def test_direct_addresses(tmp_path: Path) -> None:
    workshop = MemoryWorkshop()
    address = f"{FILES}/six-1.17.0-py2.py3-none-any.whl"
    hashed = f'hash = "sha256:{sha256(WHEEL)}"'
    six = package(
        "six", "1.17.0", f'wheels = [{{ url = "{address}", {hashed} }}]', f'url = "{address}"'
    )
    source = f"{FILES}/docopt-0.6.2.tar.gz"
    docopt = package(
        "docopt",
        "0.6.2",
        f'sdist = {{ hash = "sha256:{sha256(SDIST)}" }}',
        f'url = "{source}", subdirectory = "sub"',
    )
    contents = {"six-1.17.0-py2.py3-none-any.whl": WHEEL, "docopt-0.6.2.tar.gz": SDIST}
    found = tree(pack(tmp_path, lock(six, docopt), contents, workshop), workshop)
    assert f"uv/wheels-v8/url/{digest(address)}/six/1.17.0-py2.py3-none-any.http" in found
    folder = f"uv/sdists-v11/url/{digest(source + '#subdirectory=sub')}"
    assert source.encode() in workshop.content(found[f"{folder}/revision.http"])


def test_the_same_wherever_and_whenever(tmp_path: Path) -> None:
    contents = {"six-1.17.0-py2.py3-none-any.whl": WHEEL, "docopt-0.6.2.tar.gz": SDIST}
    trees = []
    for name in ("1", "2"):
        workshop = MemoryWorkshop()
        packed = pack(tmp_path / name, lock(SIX, DOCOPT), contents, workshop)
        trees.append([(p, e.mode, workshop.content(e)) for p, e in tree(packed, workshop).items()])
    assert trees[0] == trees[1]


@pytest.mark.parametrize(
    ("filename", "data", "reason"),
    [
        ("x-1.0-py3-none-any.whl", b"not a zip", "end record"),
        ("x-1.0-py3-none-any.whl", wheel("x", "1.0", {"../evil": b""}), "stays in its folder"),
        ("x-1.0.tar.bz2", b"", "kind of archive"),
    ],
)
def test_archives_that_are_not_opened(
    tmp_path: Path, filename: str, data: bytes, reason: str
) -> None:
    workshop = MemoryWorkshop()
    key = "wheels = [{}]" if filename.endswith(".whl") else "sdist = {}"
    text = lock(package("x", "1.0", key.format(entry(filename, data))))
    packed = pack(tmp_path, text, {filename: data}, workshop)
    with pytest.raises(UnsupportedError, match=reason):
        tree(packed, workshop)


BACKEND = wheel("setuptools", "80.0", {"setuptools.py": b""})
EDITABLES = wheel("editables", "0.5", {"editables.py": b""})
HATCHLING = wheel("hatchling", "1.2", {"hatchling.py": b""}, ["pluggy"])
PLUGGY = wheel("pluggy", "1.0", {"pluggy.py": b""})
WHEELS = {
    "setuptools-80.0-py3-none-any.whl": BACKEND,
    "wheel-0.4-py3-none-any.whl": wheel("wheel", "0.4", {"wheel.py": b""}),
    "wheel-0.5-py3-none-any.whl": wheel("wheel", "0.5", {"wheel.py": b""}),
    "editables-0.5-py3-none-any.whl": EDITABLES,
    "hatchling-1.2-py3-none-any.whl": HATCHLING,
    "pluggy-1.0-py3-none-any.whl": PLUGGY,
}


def index_of(files: Mapping[str, bytes], base: str = DEFAULT_INDEX.rstrip("/")) -> Pages:
    answers: dict[str, tuple[str, bytes]] = {}
    pages: dict[str, list[object]] = {}
    for filename, data in files.items():
        url = f"{FILES}/{filename}"
        answers[url] = ("application/octet-stream", data)
        record = {"filename": filename, "url": url, "hashes": {"sha256": sha256(data)}}
        pages.setdefault(filename.partition("-")[0], []).append(record)
    for name, listed in pages.items():
        body = json.dumps({"meta": {"api-version": "1.0"}, "files": listed}).encode()
        answers[f"{base}/{name}/"] = (ACCEPT.partition(",")[0], body)
    return Pages(answers)


def test_what_sources_are_built_with(tmp_path: Path) -> None:
    workshop = MemoryWorkshop()
    contents = {**WHEELS, "docopt-0.6.2.tar.gz": SDIST}
    packed = pack(tmp_path, lock(DOCOPT), contents, workshop, index_of(WHEELS))
    found = tree(packed, workshop)
    assert [p for p in found if "build-wheels" in p] == [
        "uv/build-wheels/setuptools-80.0-py3-none-any.whl",
        "uv/build-wheels/wheel-0.5-py3-none-any.whl",
    ]
    assert FORMAT.environment(packed).variables == (
        Variable("UV_CACHE_DIR", "uv", is_path=True),
        Variable("UV_FIND_LINKS", "uv/build-wheels", is_path=True),
        Variable("UV_OFFLINE", "1"),
    )
    assert {one.artifact.why for one in packed if one.artifact.name == "wheel"} == {
        ("build", "build of docopt 0.6.2")
    }


def test_what_the_project_itself_is_built_with(tmp_path: Path) -> None:
    """Within the lockfile's build constraints, here on what nothing names directly."""
    text = """version = 1
[manifest]
build-constraints = [{ name = "pluggy", specifier = "<1.1" }]
[[package]]
name = "app"
source = { editable = "." }
"""
    newer = {**WHEELS, "pluggy-1.1-py3-none-any.whl": wheel("pluggy", "1.1", {"p.py": b""})}
    (tmp_path / "project").mkdir()
    manifest = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    (tmp_path / "project/pyproject.toml").write_text(manifest)
    lockfile = FORMAT.read(project(tmp_path, "uv.lock", {"uv.lock": text}), options(LINUX))
    # Where nothing is configured the default index is asked, whatever the lockfile names.
    asked = Pages({})
    with pytest.raises(FetchError, match="hatchling"):
        asyncio.run(FORMAT.expand(lockfile, (), MemoryWorkshop(), asked))
    assert len(asked.asked) == 1
    named = text + f"[[package]]\n{SIX}"
    lockfile = FORMAT.read(project(tmp_path, "uv.lock", {"uv.lock": named}), options(LINUX))
    brought = asyncio.run(FORMAT.expand(lockfile, (), MemoryWorkshop(), index_of(newer)))
    assert [(a.name, a.version) for a in brought if isinstance(a, Artifact)] == [
        ("editables", "0.5"),
        ("hatchling", "1.2"),
        ("pluggy", "1.0"),
    ]


def test_commits_and_their_submodules(tmp_path: Path) -> None:
    inner = Repository(tmp_path / "inner.git")
    inner_commit = inner.commit({"z.py": b"z = 3\n"})
    outer = Repository(tmp_path / "outer.git")
    outer.commit({"pyproject.toml": b'[build-system]\nrequires = ["setuptools"]\n'})
    outer.git("submodule", "add", "-q", inner.url, "sub")
    modules = outer.folder / ".gitmodules"
    modules.write_text(modules.read_text().replace(inner.url, "../inner.git"))
    commit = outer.commit({})
    workshop = MemoryWorkshop()
    text = lock(package("outer", "1.0", "", f'git = "https://git.example/outer.git#{commit}"'))

    async def fetched(repository: Repository, commit: str) -> bytes:
        out = tmp_path / commit
        address = GitAddress(repository.url, commit)
        await fetch_commit(address, out, environ=os.environ, protocols=("file",))
        return out.read_bytes()

    contents = {
        **WHEELS,
        f"outer.git#{commit}": asyncio.run(fetched(outer, commit)),
        f"inner.git#{inner_commit}": asyncio.run(fetched(inner, inner_commit)),
    }
    packed = pack(tmp_path, text, contents, workshop, index_of(WHEELS, DEFAULT))
    environment = FORMAT.environment(packed)
    assert [url for url, _ in environment.git_sources] == [
        "https://git.example/inner.git",
        "https://git.example/outer.git",
    ]
    assert Variable("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh") in environment.variables
    workshop.write(tree(packed, workshop).values(), tmp_path / "out")
    for (_, path), expected in zip(environment.git_sources, (inner_commit, commit), strict=True):
        bare = Repository.__new__(Repository)
        bare.folder = tmp_path / "out" / path
        bare.git("fsck", "--full", "--strict")
        assert bare.git("rev-parse", "HEAD") == expected
