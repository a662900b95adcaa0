"""Container engines and a registry, started by the tests from Debian's packages and ended by them.

Each has its data in a folder of its own: nothing of the machine's own engine is seen or changed.

Other engines than the machine's run the same tests with VENDORPACK_ENGINES:

    VENDORPACK_ENGINES=/opt/docker-28 pytest tests/real/test_containers.py

names a folder whose programs (`dockerd`, `docker`, `docker-buildx`, `containerd`, `buildah`, …)
win over those of PATH; what it lacks comes from there. Such a folder is a static release of
Docker with docker-buildx put in, or links to programs of a later Debian's packages, unpacked with
`dpkg -x`: Docker 26 and 28 of Debian 13 and 14 run on Debian 12 with its runc. What needs a later C
library, as buildah does, may be a script that runs the program in another root; /tmp must be the
same there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.clients import miss, tool

_TIME = 300
_OTHERS = os.environ.get("VENDORPACK_ENGINES")
_ENGINES = Path(_OTHERS).absolute() if _OTHERS else None
_PATH = f"{_ENGINES}:{os.environ['PATH']}" if _ENGINES else os.environ["PATH"]


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
            env={"PATH": _PATH, **(env or {})},
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


# -- the engines ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Docker:
    """A daemon of our own. version: the daemon's, as numbers."""

    socket: Path
    version: tuple[int, ...]
    buildkit: bool = True
    limits = ("--ulimit", "nofile=1024")
    """Of a container: not everywhere may it have more than these tests have themselves."""

    def __call__(self, *args: str | Path, stdin: Path | None = None) -> Built:
        """Run docker's client."""
        env = {"HOME": str(self.socket.parent), "DOCKER_BUILDKIT": str(int(self.buildkit))}
        return run(_docker(), "-H", f"unix://{self.socket}", *args, env=env, stdin=stdin)

    def has(self, image: str) -> bool:
        """Whether the image is there."""
        return self("image", "inspect", image).code == 0

    def add_base(self, image: str, root: Path) -> None:
        """An image whose only layer is the tar `root`."""
        done = self("import", "-", image, stdin=root)
        assert done.code == 0, done.out

    def forget(self, image: str) -> None:
        """Drop a pulled image, and all that builds have kept of it."""
        self("image", "rm", "--force", image)
        done = self("builder", "prune", "--all", "--force")
        assert done.code == 0, done.out

    def build(self, context: Path, args: Sequence[str] = ()) -> Built:
        """Build `context` without a network."""
        options = ("--network=none", "--no-cache", "-t", context.name)
        return self("build", *options, *args, context)

    def start(self, image: str, *command: str) -> str:
        """What the command prints in a container; the image's own by default."""
        done = self("run", "--rm", *self.limits, "--network=none", image, *command)
        assert done.code == 0, done.out
        return done.out


@contextmanager
def dockerd() -> Iterator[Docker]:
    """Docker's daemon, for as long as the context lasts."""
    program, docker = _program("dockerd"), _docker()
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
    if _ENGINES and (_ENGINES / "docker-buildx").exists():
        (folder / ".docker/cli-plugins").mkdir(parents=True)
        (folder / ".docker/cli-plugins/docker-buildx").symlink_to(_ENGINES / "docker-buildx")
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
        return run(_program("buildah"), *roots, *driver, *args, env=env)

    def has(self, image: str) -> bool:
        """Whether the image is there."""
        return self("inspect", "--type=image", image).code == 0

    def add_base(self, image: str, root: Path) -> None:
        """An image whose only layer is the tar `root`."""
        for command in (
            ("from", "--name=base", "scratch"),
            ("add", "base", root, "/"),
            ("commit", "--rm", *self._trust(), "base", image),
        ):
            done = self(*command)
            assert done.code == 0, done.out

    def build(self, context: Path, args: Sequence[str] = ()) -> Built:
        """Build `context`, whose steps have no network."""
        options = ("--network=none", "--tls-verify=false", "--pull=ifmissing", *self._trust())
        return self("bud", *options, *_ISOLATION, "-t", context.name, *args, context)

    def start(self, image: str) -> str:
        """What the image's command prints."""
        config = json.loads(self("inspect", "--type=image", image).out)["OCIv1"]["config"]
        command = [*config.get("Entrypoint", ()), *config["Cmd"]]
        made = self("from", *self._trust(), "--pull=never", image)
        assert made.code == 0, made.out
        name = made.out.split()[-1]
        done = self("run", *_ISOLATION, "--network=none", name, "--", *command)
        self("rm", name)
        assert done.code == 0, done.out
        return done.out

    def _trust(self) -> tuple[str | Path, ...]:
        return "--signature-policy", self.folder / "policy.json"


@dataclass(frozen=True)
class Podman:
    """podman with storage of its own."""

    folder: Path
    limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")

    def __call__(self, *args: str | Path) -> Built:
        """Run podman."""
        roots = ("--root", self.folder / "root", "--runroot", self.folder / "run")
        own = ("--tmpdir", self.folder / "tmp", "--storage-driver", "overlay")
        quiet = ("--cgroup-manager", "cgroupfs", "--events-backend", "none", "--runtime", "runc")
        env = {
            "HOME": str(self.folder),
            "CONTAINERS_REGISTRIES_CONF": str(self.folder / "none.conf"),
        }
        return run(_program("podman"), *roots, *own, *quiet, *args, env=env)

    def has(self, image: str) -> bool:
        """Whether the image is there."""
        return self("image", "exists", image).code == 0

    def add_base(self, image: str, root: Path) -> None:
        """An image whose only layer is the tar `root`."""
        done = self("import", root, image)
        assert done.code == 0, done.out

    def build(self, context: Path, args: Sequence[str] = ()) -> Built:
        """Build `context`, whose steps have no network."""
        options = ("--network=none", "--no-cache", "--tls-verify=false", "--pull=missing")
        return self("build", *options, "--isolation=oci", "-t", context.name, *args, context)

    def start(self, image: str) -> str:
        """What the image's command prints."""
        done = self("run", "--rm", *self.limits, "--network=none", "--pull=never", image)
        assert done.code == 0, done.out
        return done.out


@contextmanager
def podman() -> Iterator[Podman]:
    """podman, which has no daemon."""
    with _storage("podman", ".config/containers/policy.json") as folder:
        engine = Podman(folder)
        try:
            yield engine
        finally:
            engine("rm", "--all", "--force")


_ISOLATION = ("--isolation", "oci", "--runtime", "runc")


@contextmanager
def buildah() -> Iterator[Buildah]:
    """buildah, which has no daemon."""
    with _storage("buildah", "policy.json") as folder:
        engine = Buildah(folder)
        try:
            yield engine
        finally:
            engine("rm", "--all")


@contextmanager
def _storage(program: str, policy: str) -> Iterator[Path]:
    """A folder for an engine without a daemon, that takes images of anybody by its policy."""
    _program(program)
    _program("runc")
    _need_root(program)
    folder = Path(tempfile.mkdtemp(prefix=f"vp-{program}-"))
    (folder / "none.conf").touch()
    (folder / policy).parent.mkdir(parents=True, exist_ok=True)
    (folder / policy).write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    try:
        yield folder
    finally:
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
            command,
            env={**os.environ, "PATH": _PATH},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
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


def _program(name: str) -> str:
    if _ENGINES and not _ENGINES.is_dir():
        miss(f"VENDORPACK_ENGINES is {_ENGINES}, which is no folder")
    return shutil.which(name, path=_PATH) or tool(name)


def _docker() -> str:
    # Where several are installed, the one beside Debian's daemon speaks BuildKit by itself.
    return shutil.which("docker", path=str(_ENGINES or "/usr/bin")) or tool("docker")


def _need_root(what: str) -> None:
    if os.geteuid() != 0:
        miss(f"{what} needs root here")
