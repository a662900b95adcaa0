"""Many artifacts, many files, one large artifact: what packing and unpacking them takes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import mmap
import random
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import Process, Queue
from pathlib import Path
from typing import cast

from tests.bench.measure import Cost, run
from tests.cli import Cli
from tests.world import Reply, Request, Server
from tests.world.npm import tarball

_ARTIFACTS = 50_000
_PACKAGES, _FILES_EACH = 400, 1000
_LARGE = 3_000_000_000
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Scaled:
    """What was measured: the cost of each command."""

    what: str
    costs: Mapping[str, Cost]


def measure(work: Path, part: float, say: Callable[[str], None]) -> list[Scaled]:
    """All three, each made `part` as large as it is meant to be. Raises `FailedError`."""
    found = []
    for make, count, unit in (
        (_artifacts, int(_ARTIFACTS * part), "artifacts"),
        (_files, int(_PACKAGES * part) * _FILES_EACH, "files"),
        (_large, int(_LARGE * part), "bytes in one artifact"),
    ):
        folder = work / unit.split()[0]
        project = folder / "project"
        project.mkdir(parents=True)
        what = f"{count:,} {unit}"
        with _served(project, make, count) as url:
            costs = _costs(folder, project, url)
        found.append(Scaled(what, costs))
        for name, cost in costs.items():
            say(f"{what}: {name:7} {cost.wall:6.1f} s, CPU {cost.cpu:6.1f} s, {cost.peak:4.0f} MB")
    return found


def _costs(folder: Path, project: Path, url: str) -> dict[str, Cost]:
    cli = Cli(folder)
    bundle = folder / "b.tar.zst"
    costs = {}
    for name, words in {
        "pack": ("pack", project, "-o", bundle, "--allow-host", url),
        "verify": ("verify", bundle),
        "unpack": ("unpack", bundle, "--prefix", folder / "prefix"),
    }.items():
        costs[name] = run(cli.argv(*words), folder, cli.env())
    return costs


Make = Callable[[Path, str, int], Callable[[str], bytes]]
"""Writes a project that is locked to `count` things at an address; what answers for their paths."""


@contextmanager
def _served(project: Path, make: Make, count: int) -> Iterator[str]:
    """A registry in a process of its own, so that its memory and its work are not ours."""
    address: Queue[str] = Queue()
    process = Process(target=_serve, args=(project, make, count, address), daemon=True)
    process.start()
    try:
        yield address.get()
    finally:
        process.kill()
        process.join()


def _serve(project: Path, make: Make, count: int, address: Queue[str]) -> None:
    answers: list[Callable[[str], bytes]] = []

    def answer(request: Request) -> Reply:
        return Reply(answers[0](request.path))

    with Server({}, default=answer) as server:
        answers.append(make(project, server.url, count))
        address.put(server.url)
        server.join()


def _artifacts(project: Path, url: str, count: int) -> Callable[[str], bytes]:
    """A package-lock.json of so many small packages."""

    def content(path: str) -> bytes:
        return tarball(path.split("/")[1], "1.0.0")

    _lock(project, url, {f"p{number}": f"/p{number}/-/x.tgz" for number in range(count)}, content)
    return content


def _large(project: Path, url: str, count: int) -> Callable[[str], bytes]:
    """A package-lock.json of one package of so many bytes that do not compress."""
    path = project.parent / "large.tgz"
    piece = random.Random(1).randbytes(_PIECE)
    with path.open("wb") as file:
        for number in range(count // _PIECE):
            file.write(number.to_bytes(8) + piece[8:])
    with path.open("rb") as file:
        content = cast("bytes", mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    _lock(project, url, {"large": "/large.tgz"}, lambda path: content)
    return lambda path: content


def _lock(
    project: Path, url: str, paths: Mapping[str, str], content: Callable[[str], bytes]
) -> None:
    packages: dict[str, object] = {
        "": {"name": "project", "dependencies": dict.fromkeys(paths, "1.0.0")}
    }
    for name, path in paths.items():
        packages[f"node_modules/{name}"] = {
            "version": "1.0.0",
            "resolved": url + path,
            "integrity": _sri(content(path)),
        }
    lock = {"name": "project", "lockfileVersion": 3, "packages": packages}
    (project / "package-lock.json").write_text(json.dumps(lock))
    (project / ".npmrc").write_text(f"registry={url}/\n")


def _files(project: Path, url: str, count: int) -> Callable[[str], bytes]:
    """A pnpm-lock.yaml of packages of a thousand files each."""
    names = [f"p{number}" for number in range(count // _FILES_EACH)]
    lines = ["lockfileVersion: '9.0'", "importers:", "  .:", "    dependencies:"]
    lines += [f"      {name}: {{specifier: 1.0.0, version: 1.0.0}}" for name in names]
    lines += ["packages:"]
    for name in names:
        integrity = _sri(_package(name))
        lines += [f"  {name}@1.0.0:", f"    resolution: {{integrity: {integrity}}}"]
    lines += ["snapshots:", *(f"  {name}@1.0.0: {{}}" for name in names)]
    (project / "pnpm-lock.yaml").write_text("\n".join(lines) + "\n")
    (project / "package.json").write_text('{"name": "project"}')
    (project / "vendorpack.toml").write_text('pnpm-store = "v11"\n')
    (project / ".npmrc").write_text(f"registry={url}/\n")
    return lambda path: _package(path.split("/")[1])


def _package(name: str) -> bytes:
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0, compresslevel=1) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        manifest = json.dumps({"name": name, "version": "1.0.0"}).encode()
        texts = (b"exports.a = %d // %b\n" % (n, name.encode()) for n in range(_FILES_EACH - 1))
        for number, data in enumerate((manifest, *texts)):
            member = tarfile.TarInfo(f"package/{f'lib/{number}.js' if number else 'package.json'}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _sri(data: bytes) -> str:
    return f"sha512-{base64.b64encode(hashlib.sha512(data).digest()).decode()}"
