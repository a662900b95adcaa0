"""The samples' projects on disk, and servers under the names that they are packed from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.cli import Cli
from tests.formats.samples import SAMPLES
from tests.world import World
from tests.world.server import Reply, Request
from tests.world.site import Service
from vendorpack.contract import Document, Sample

TARGET = "linux-x86_64-gnu-py3.12"
"""What the samples' own options ask for."""


PLACES = {"maven": ".mvn/checksums", "gradle": "gradle"}
"""Where in a project a sample's lockfile is looked for, if not at the top."""


class _Hosts(Service):
    """Answers as each of several hosts: for what a request says that it is meant for."""

    def __init__(self, answers: dict[str, Document]) -> None:
        self._answers = answers

    def answer(self, path: str, request: Request) -> Reply:
        found = self._answers.get(f"https://{request.headers['host']}{request.path}")
        if found is None:
            return Reply(b"not here", 404)
        return Reply(found.body, headers={"Content-Type": found.content_type})


@contextmanager
def internet(folder: Path, samples: Iterable[Sample]) -> Iterator[Cli]:
    """A command line, at work in `folder`, to whom the samples' addresses answer."""
    answers = {url: doc for sample in samples for url, doc in sample.answers.items()}
    names = sorted({urlsplit(url).netloc for url in answers})
    with World(folder) as world:
        site = world.site(tls=True, names=names)
        site.mount("", _Hosts(answers))
        proxy = world.internet(**{name.replace(".", "_"): site for name in names})
        yield Cli(folder, environ={**world.environ, **proxy})


def written(folder: Path, names: Iterable[str]) -> list[Path]:
    """The projects of some formats in folders of their own; answers with these."""
    for name in names:
        for path, content in SAMPLES[name].files.items():
            file = folder / name / PLACES.get(name, "") / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    return [folder / name for name in names]


def pack_samples(folder: Path, names: Iterable[str], *options: str) -> Cli:
    """Pack some formats' samples as typed: one bundle, `deps.tar.zst` in `folder`."""
    names = list(names)
    with internet(folder, (SAMPLES[name] for name in names)) as cli:
        projects = written(folder / "projects", names)
        cli.ok("pack", *projects, "--target", TARGET, *options)
    return Cli(folder)
