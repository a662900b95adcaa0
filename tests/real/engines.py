"""Container engines and a registry, started by the tests from Debian's packages and ended by them.

Each has its data in a folder of its own: nothing of the machine's own engine is seen or changed.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.clients import client, miss, tool

BASE = "localhost/base:1"
_TIME = 300
_APPLETS = ("cat", "cp", "dirname", "env", "ls", "mkdir", "readlink", "rm", "sh", "tar", "test")


@dataclass(frozen=True)
class Built:
    """How a build ended, and what it said."""

    code: int
    out: str


def run(
    *command: str | Path, env: dict[str, str] | None = None, stdin: Path | None = None
) -> Built:
    """Run a command to its end."""
    with open(stdin or os.devnull, "rb") as source:
        done = subprocess.run(
            [str(word) for word in command],
            env={"PATH": os.environ["PATH"], **(env or {})},
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_TIME,
        )
    return Built(done.returncode, done.stdout)


def ok(*command: str | Path, env: dict[str, str] | None = None, stdin: Path | None = None) -> str:
    """Run a command that must succeed."""
    done = run(*command, env=env, stdin=stdin)
    assert done.code == 0, f"{command} ended with {done.code}:\n{done.out[-3000:]}"
    return done.out


# -- the base image ------------------------------------------------------------------------


def write_base(tar: Path) -> None:
    """A root with busybox, Node.js, npm, this very Python and pip: no more than images have."""
    root = tar.with_suffix("")
    node = (client("node") / "bin/node").resolve()
    busybox = Path(tool("busybox")).resolve()
    for folder in ("bin", "usr/bin", "usr/lib/node_modules", "etc", "proc", "sys", "dev", "root"):
        (root / folder).mkdir(parents=True)
    shutil.copy(node, root / "usr/bin/node")
    shutil.copy(busybox, root / "bin/busybox")
    for name in _APPLETS:
        (root / "bin" / name).symlink_to("busybox")
    for library in re.findall(r"(/\S+) \(0x", run("ldd", node, busybox, *_put_python(root)).out):
        place = root / library.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, place)
    npm = client("npm-11") / "node_modules/npm"
    shutil.copytree(npm, root / "usr/lib/node_modules/npm", symlinks=True)
    for name in ("npm", "npx"):
        script = f"/usr/lib/node_modules/npm/bin/{name}-cli.js"
        (root / "usr/bin" / name).write_text(f'#!/bin/sh\nexec node {script} "$@"\n')
        (root / "usr/bin" / name).chmod(0o755)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    ok("tar", "--owner=0", "--group=0", "-C", root, "-cf", tar, ".")
    shutil.rmtree(root)


def _put_python(root: Path) -> list[Path]:
    """Copy this Python to where it lies here, and pip. Returns what needs libraries."""
    python = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    place = root / str(python).lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(python, place)
    unwanted = ("__pycache__", "test", "site-packages", "dist-packages", "config-*", "EXTERNALLY*")
    there = root / str(library).lstrip("/")
    shutil.copytree(library, there, ignore=shutil.ignore_patterns(*unwanted))
    (pip,) = (client("pip-26") / "lib").glob("python3*/site-packages/pip")
    shutil.copytree(pip, root / "usr/share/pip/pip")
    scripts = {
        "python": f'exec {python} "$@"',
        "pip": f'PYTHONPATH=/usr/share/pip exec {python} -m pip "$@"',
    }
    for name, line in scripts.items():
        (root / "usr/bin" / name).write_text(f"#!/bin/sh\n{line}\n")
        (root / "usr/bin" / name).chmod(0o755)
    return [python, *sorted(library.glob("lib-dynload/*.so"))]


# -- the engines ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Docker:
    """A daemon of our own. version: the daemon's, as numbers."""

    socket: Path
    version: tuple[int, ...]

    def __call__(
        self, *args: str | Path, stdin: Path | None = None, buildkit: bool = True
    ) -> Built:
        """Run docker's client."""
        env = {"HOME": str(self.socket.parent), "DOCKER_BUILDKIT": str(int(buildkit))}
        return run(_docker(), "-H", f"unix://{self.socket}", *args, env=env, stdin=stdin)

    def build(self, context: Path, args: Sequence[str] = (), *, buildkit: bool = True) -> Built:
        """Build `context` without a network."""
        options = ("--network=none", "--no-cache", "-t", context.name)
        return self("build", *options, *args, context, buildkit=buildkit)

    def start(self, image: str, *command: str) -> str:
        """What the command prints in a container."""
        limits = ("--network", "none", "--ulimit", "nofile=20000")
        done = self("run", "--rm", *limits, image, *command)
        assert done.code == 0, done.out
        return done.out


@contextmanager
def dockerd() -> Iterator[Docker]:
    """Docker's daemon, for as long as the context lasts."""
    program, docker = tool("dockerd"), _docker()
    _need_root("dockerd")
    # A socket's path has at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="vp-docker-"))
    where = folder / "s"
    options = {
        "--host": f"unix://{where}",
        "--data-root": folder / "data",
        "--exec-root": folder / "exec",
        "--pidfile": folder / "pid",
        "--storage-driver": "overlay2",
        "--bridge": "none",
        "--iptables": "false",
        "--ip6tables": "false",
        "--ip-forward": "false",
    }
    command = [program, *(f"{name}={value}" for name, value in options.items())]
    asking = (docker, "-H", f"unix://{where}", "version", "-f", "{{.Server.Version}}")
    env = {"HOME": str(folder)}
    with _daemon(command, folder, lambda: run(*asking, env=env).code == 0):
        version = tuple(map(int, re.findall(r"\d+", ok(*asking, env=env))[:3]))
        yield Docker(where, version)


@dataclass(frozen=True)
class Buildah:
    """buildah with storage of its own."""

    folder: Path

    def __call__(self, *args: str | Path) -> Built:
        """Run buildah."""
        roots = ("--root", self.folder / "root", "--runroot", self.folder / "run")
        driver = ("--storage-driver", "overlay", "--registries-conf", self.folder / "none.conf")
        env = {"HOME": str(self.folder)}
        return run(tool("buildah"), *roots, *driver, *args, env=env)

    def build(self, context: Path, args: Sequence[str] = ()) -> Built:
        """Build `context`, whose steps have no network."""
        options = ("--network=none", "--tls-verify=false", "--pull=ifmissing", *self._trust())
        return self("bud", *options, *_ISOLATION, "-t", context.name, *args, context)

    def start(self, image: str, *command: str) -> str:
        """What the command prints in a container."""
        made = self("from", *self._trust(), "--pull=never", image)
        assert made.code == 0, made.out
        name = made.out.split()[-1]
        done = self("run", *_ISOLATION, "--network=none", name, "--", *command)
        assert done.code == 0, done.out
        return done.out

    def _trust(self) -> tuple[str | Path, ...]:
        return "--signature-policy", self.folder / "policy.json"


_ISOLATION = ("--isolation", "oci", "--runtime", "runc")


@contextmanager
def buildah() -> Iterator[Buildah]:
    """buildah, which has no daemon."""
    tool("buildah")
    tool("runc")
    _need_root("buildah")
    folder = Path(tempfile.mkdtemp(prefix="vp-buildah-"))
    (folder / "none.conf").touch()
    (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    try:
        yield Buildah(folder)
    finally:
        Buildah(folder)("rm", "--all")
        shutil.rmtree(folder, ignore_errors=True)


# -- the registry --------------------------------------------------------------------------


@dataclass(frozen=True)
class DebianRegistry:
    """Debian's docker-registry. host: `127.0.0.1:port`. folder: where it keeps its blobs."""

    host: str
    folder: Path

    def blob(self, sha256: str) -> Path:
        """The file of a blob."""
        return self.folder / "docker/registry/v2/blobs/sha256" / sha256[:2] / sha256 / "data"


@contextmanager
def docker_registry() -> Iterator[DebianRegistry]:
    """A registry on the loopback."""
    program = tool("docker-registry")
    folder = Path(tempfile.mkdtemp(prefix="vp-registry-"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http: {{addr: 127.0.0.1:{port}}}\n"
    )

    def up() -> bool:
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", port)) == 0

    with _daemon([program, "serve", str(config)], folder, up):
        yield DebianRegistry(f"127.0.0.1:{port}", folder / "data")


@contextmanager
def _daemon(command: Sequence[str], folder: Path, up: Callable[[], bool]) -> Iterator[None]:
    """A process and its folder, both gone at the end; its last words where it does not come up."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 60
        while not up():
            if process.poll() is not None or time.monotonic() > deadline:
                words = (folder / "log").read_text(errors="replace")[-1500:]
                miss(f"{Path(command[0]).name} does not run here:\n{words}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _docker() -> str:
    # Where several are installed, the one beside Debian's daemon speaks BuildKit by itself.
    debian = Path("/usr/bin/docker")
    return str(debian) if debian.exists() else tool("docker")


def _need_root(what: str) -> None:
    if os.geteuid() != 0:
        miss(f"{what} needs root here")
