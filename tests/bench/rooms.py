"""Every room against its native client: the same project, cold, from the same mirror, in turns.

Nothing is removed before the end: ext4 passes over each inode that was freed within the last
minutes, one by one, whenever a file is made, which would be seen as work of whoever comes next.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.floor import Floor, floor
from tests.bench.measure import Cost, FailedError, median, run
from tests.bench.mirror import Mirror
from tests.cli import CHECKOUT, Cli

PROJECTS = CHECKOUT / "tests/real/projects"
_CLIENTS = Path(os.environ.get("VENDORPACK_CLIENTS", "/nonexistent"))
_NODE = _CLIENTS / "node/bin/node"


@dataclass(frozen=True, slots=True)
class Room:
    """A room's rival.

    shown: its command as people type it. argv: the same as it is run here; what is named by
    `{work}` is a fresh folder. env: further variables. project: a folder, or one of `PROJECTS` by
    its name. corpus: a real project's folder, preferred to it where VENDORPACK_CORPUS has that.
    empty: sources that the client wants to see there, and that a corpus of lockfiles lacks.
    """

    name: str
    shown: str
    argv: tuple[str | Path, ...]
    project: str | Path
    corpus: str = ""
    env: tuple[tuple[str, str], ...] = ()
    empty: tuple[str, ...] = ()

    def source(self) -> Path:
        """The project's folder."""
        folder = Path(os.environ.get("VENDORPACK_CORPUS", "/nonexistent"), self.corpus or "-")
        return folder if folder.is_dir() else PROJECTS / self.project


def _node(client: str, script: str) -> tuple[Path, Path]:
    return _NODE, _CLIENTS / client / "node_modules" / script


_RIPGREP = [
    "cli",
    "globset",
    "grep",
    "ignore",
    "index",
    "matcher",
    "pcre2",
    "printer",
    "regex",
    "searcher",
]
_YARN_4 = _node("yarn-4", "@yarnpkg/cli-dist/bin/yarn.js")
ROOMS = (
    Room(
        "npm",
        "npm ci --ignore-scripts (11)",
        (*_node("npm-11", "npm/bin/npm-cli.js"), "ci", "--ignore-scripts", "--no-audit"),
        "hello-npm",
        "npm-warehouse",
    ),
    Room(
        "pnpm",
        "pnpm fetch (11)",
        (*_node("pnpm-11", "pnpm/bin/pnpm.mjs"), "fetch", "--ignore-scripts"),
        "hello-pnpm",
        "pnpm-vue-core",
        (("pnpm_config_pm_on_fail", "ignore"), ("pnpm_config_store_dir", "{work}/store")),
    ),
    Room(
        "yarn 1",
        "yarn install --frozen-lockfile --ignore-scripts (1.22)",
        (
            *_node("yarn-1", "yarn/bin/yarn.js"),
            *("install", "--frozen-lockfile", "--ignore-scripts", "--ignore-engines"),
        ),
        "hello-yarn-1",
    ),
    Room(
        "yarn 4",
        "yarn install --mode=skip-build (4)",
        (*_YARN_4, "install", "--mode=skip-build"),
        "hello-yarn-4",
        "yarn4-redux",
        (
            ("YARN_ENABLE_TELEMETRY", "0"),
            ("YARN_IGNORE_PATH", "1"),
            # A newer Yarn writes the lockfile of an older one a little otherwise.
            ("YARN_ENABLE_IMMUTABLE_INSTALLS", "0"),
        ),
    ),
    Room(
        "bun",
        "bun install --frozen-lockfile --ignore-scripts (1.4)",
        (
            _CLIENTS / "bun-1.4/node_modules/bun/bin/bun.exe",
            *("install", "--frozen-lockfile", "--ignore-scripts"),
        ),
        "hello-bun",
    ),
    Room(
        "uv",
        "uv sync --frozen --no-install-project (0.13)",
        (_CLIENTS / "uv-0.13/bin/uv", "sync", "--frozen", "--no-install-project"),
        "hello-uv",
        "uv-benchmark",
        (("UV_PYTHON", sys.executable), ("UV_PYTHON_DOWNLOADS", "never")),
    ),
    Room(
        "pip",
        "pip download --require-hashes -r requirements.txt (26)",
        (
            _CLIENTS / "pip-26/bin/pip",
            *("download", "--require-hashes", "-r", "requirements.txt", "-d", "{work}/wheels"),
        ),
        "hello-requirements",
    ),
    Room(
        "uv pip",
        "uv pip install --require-hashes -r requirements.txt (0.13)",
        (
            *(_CLIENTS / "uv-0.13/bin/uv", "pip", "install", "--require-hashes"),
            *("-r", "requirements.txt", "--target", "{work}/site"),
        ),
        "hello-requirements",
        env=(("UV_PYTHON", sys.executable), ("UV_CACHE_DIR", "{work}/uv")),
    ),
    Room(
        "poetry",
        "poetry install --no-root (2.5)",
        (_CLIENTS / "poetry-2.5/bin/poetry", "install", "--no-root"),
        "hello-poetry",
        env=(("POETRY_VIRTUALENVS_IN_PROJECT", "1"),),
    ),
    Room(
        "cargo",
        "cargo fetch --locked",
        (shutil.which("cargo") or "cargo", "fetch", "--locked"),
        "hello-cargo",
        "cargo-ripgrep",
        env=(("CARGO_HOME", "{work}/cargo"), ("RUSTUP_HOME", str(Path.home() / ".rustup"))),
        empty=tuple(f"crates/{name}/src/lib.rs" for name in _RIPGREP),
    ),
    Room(
        "gomod",
        "go mod download (1.27)",
        (_CLIENTS / "go-1.27/bin/go", "mod", "download"),
        "hello-go",
        "go-hugo",
        env=(("GOPATH", "{work}/go"), ("GOFLAGS", "-modcacherw"), ("GOTOOLCHAIN", "local")),
    ),
    Room(
        "bundler",
        "bundle install (2.6)",
        (
            *(shutil.which("ruby") or "ruby", "-I", _CLIENTS / "bundler-2.6/lib"),
            *(_CLIENTS / "bundler-2.6/exe/bundle", "install"),
        ),
        "made by tests.bench.gems",
        env=(("BUNDLE_PATH", "{work}/gems"), ("BUNDLE_FROZEN", "true")),
    ),
)


@dataclass(frozen=True, slots=True)
class Result:
    """Medians.

    warm: a pack from a full store. again: a pack that has nothing to do. synced: tar, and then
    waiting until the disk has it all, as `unpack` does before anything has its final name.
    """

    room: Room
    pack: Cost
    native: Cost
    warm: Cost
    again: Cost
    key: Cost
    verify: Cost
    unpack: Cost
    tar: Cost
    synced: Cost
    size: float
    """MB of the bundle."""
    floor: Floor
    source: str
    """The project's name."""


def compare(room: Room, mirror: Mirror, work: Path, rounds: int) -> Result:
    """Measure one room. Raises `FailedError` for a client that does not succeed."""
    found: dict[str, list[Cost]] = {}
    size, least = 0.0, Floor(0, 0, 0)
    for turn in itertools.count():
        if len(found.get("pack", ())) == rounds:
            break
        folder = work / room.name.replace(" ", "-") / str(turn)
        asked = mirror.asked
        costs = dict(_round(room, mirror, folder))
        size = (folder / "b.tar.zst").stat().st_size / 1e6
        least = floor(folder / "b.tar.zst")
        # A first round that waited for a registry is not counted.
        if mirror.asked == asked or turn:
            for name, cost in costs.items():
                found.setdefault(name, []).append(cost)
    medians = {name: median(costs) for name, costs in found.items()}
    return Result(room, size=size, floor=least, source=room.source().name, **medians)


def _round(room: Room, mirror: Mirror, folder: Path) -> Iterator[tuple[str, Cost]]:
    folder.mkdir(parents=True)
    cli = Cli(
        folder, environ={"SSL_CERT_FILE": str(mirror.ca_file), "SSL_CERT_DIR": "/nonexistent"}
    )
    project, bundle = folder / "ours", folder / "b.tar.zst"
    theirs = folder / "theirs"
    for copy in (project, theirs):
        shutil.copytree(room.source(), copy)
        for path in room.empty:
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy / path).touch()

    def ours(*words: str | Path) -> Cost:
        return run((*mirror.enter, *cli.argv(*words)), folder, cli.env())

    yield "pack", ours("pack", project, "-o", bundle)
    yield (
        "native",
        run(
            (*mirror.enter, *(_filled(word, folder) for word in room.argv)),
            theirs,
            _native_env(room, mirror, folder),
        ),
    )
    bundle.unlink()
    yield "warm", ours("pack", project, "-o", bundle)
    yield "again", ours("pack", project, "-o", bundle)
    yield "key", ours("key", project)
    yield "verify", ours("verify", bundle)
    yield "unpack", ours("unpack", bundle, "--prefix", folder / "prefix")
    (folder / "tar").mkdir()
    yield "tar", run(("tar", "--zstd", "-xf", bundle, "-C", folder / "tar"), folder, cli.env())
    (folder / "synced").mkdir()
    script = 'tar --zstd -xf "$0" -C "$1" && sync -f "$1"'
    yield "synced", run(("sh", "-c", script, bundle, folder / "synced"), folder, cli.env())


def _filled(word: str | Path, folder: Path) -> str:
    return str(word).replace("{work}", str(folder))


def _native_env(room: Room, mirror: Mirror, folder: Path) -> dict[str, str]:
    (folder / "home2").mkdir()
    trusted = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "REQUESTS_CA_BUNDLE")
    return {
        "PATH": f"{_CLIENTS}/node/bin:{os.environ['PATH']}",
        "HOME": str(folder / "home2"),
        "LANG": "C.UTF-8",
        "CI": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_CACHE_DIR": str(folder / "pip"),
        "CARGO_HTTP_CAINFO": str(mirror.ca_file),
        **dict.fromkeys(trusted, str(mirror.ca_file)),
        **{name: _filled(value, folder) for name, value in room.env},
    }


Say = Callable[[str], None]


def results(
    rooms: Mapping[str, Room], mirror: Mirror, work: Path, rounds: int, say: Say
) -> tuple[list[Result], dict[str, str]]:
    """All rooms', and why some have none."""
    found: list[Result] = []
    failed: dict[str, str] = {}
    for room in rooms.values():
        try:
            found.append(compare(room, mirror, work, rounds))
            one = found[-1]
            say(
                f"{room.name:8} pack {one.pack.wall:6.2f} s; {room.shown} {one.native.wall:6.2f} s;"
                f" ratios: wall {one.pack.wall / one.native.wall:.2f},"
                f" CPU {one.pack.cpu / one.native.cpu:.2f},"
                f" peak {one.pack.peak / one.native.peak:.2f}"
            )
        except (FailedError, OSError) as error:
            failed[room.name] = "its client did not succeed"
            say(f"{room.name:8} not measured: {error}")
    return found, failed
