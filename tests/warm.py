"""The command line, forked from a process that has imported it: a start takes 20 ms, not 400.

It is the same command, in an environment, a folder and a umask of its own, with pipes for its
output and an exit code of its own. What the interpreter takes from the environment when it starts,
and the seed of its hashes, is the server's: a run that sets one of these is a process of its own.
The server ends with the process that started it.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import vendorpack

_OF_START: Final = ("PYTHON", "LC_", "LANG", "LD_")
"""Names of variables that are heeded when the interpreter starts, and not after, begin so."""
LIMIT: Final = 600.0
"""Seconds that a run may take."""


class Server:
    """A process that forks, for runs in environments in which an interpreter starts as in `env`."""

    def __init__(self, env: Mapping[str, str], checkout: Path) -> None:
        self._env = _of_start(env)
        self._address = f"\0vendorpack-tests-{os.getpid()}-{os.urandom(6).hex()}"  # of no file
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._address)
            listener.listen(16)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm", str(listener.fileno())],
                cwd=checkout,
                env=dict(env),
                # Pipes, as those of each run will be: Python asks once whether they can be sought.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[listener.fileno()],
            )
        atexit.register(self._end)

    def _end(self) -> None:
        with self._process:
            self._process.kill()

    def fits(self, env: Mapping[str, str]) -> bool:
        """Whether an interpreter would start in it as this one did."""
        return _of_start(env) == self._env

    def run(
        self, args: Sequence[str], env: Mapping[str, str], cwd: Path, umask: int
    ) -> tuple[int, str, str]:
        """Exit code (of a signal, its number below zero), standard output and error."""
        request = {"args": [*args], "env": {**env}, "cwd": str(cwd), "umask": umask}
        with socket.socket(socket.AF_UNIX) as connection, contextlib.ExitStack() as stack:
            connection.connect(self._address)
            pipes = [os.pipe(), os.pipe()]
            for read, _ in pipes:
                stack.callback(os.close, read)
            socket.send_fds(connection, [b" "], [write for _, write in pipes])
            for _, write in pipes:
                os.close(write)
            connection.sendall(json.dumps(request).encode() + b"\n")
            out, err = _read_all([read for read, _ in pipes])
            with connection.makefile() as answer:
                return int(answer.readline()), out, err


def _of_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_OF_START)}


def _read_all(descriptors: Sequence[int]) -> list[str]:
    """All that comes out of them, as text. Raises `TimeoutError`."""
    until = time.monotonic() + LIMIT
    got: dict[int, list[bytes]] = {descriptor: [] for descriptor in descriptors}
    with selectors.DefaultSelector() as selector:
        for descriptor in descriptors:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(until - time.monotonic())
            if not ready:
                raise TimeoutError("the command did not end")
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                got[key.fd].append(data)
                if not data:
                    selector.unregister(key.fd)
    return [
        b"".join(parts).decode().replace("\r\n", "\n").replace("\r", "\n") for parts in got.values()
    ]


def _serve(listener: socket.socket) -> None:
    """Answer, until the standard input ends. Returns in each process that has a command to run."""
    ended, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(wakes)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([listener, ended, sys.stdin], [], [])
        if sys.stdin in ready:
            os._exit(0)
        if ended in ready:
            os.read(ended, 1 << 10)
            _report(running)
        if listener in ready:
            connection, _ = listener.accept()
            _, (out, err), _, _ = socket.recv_fds(connection, 1, 2)
            with connection.makefile() as lines:
                request = json.loads(lines.readline())
            child = os.fork()
            if not child:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for other in (listener, connection, *running.values()):
                    other.close()
                os.close(ended)
                os.close(wakes)
                return _become(request, out, err)
            running[child] = connection
            os.close(out)
            os.close(err)


def _report(running: dict[int, socket.socket]) -> None:
    """Say how those ended that did."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            child, status = found
            with running.pop(child) as connection, contextlib.suppress(OSError):
                connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _become(request: Mapping[str, Any], out: int, err: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, place in ((nothing, 0), (out, 1), (err, 2)):
        os.dup2(ours, place)
        os.close(ours)
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    tempfile.tempdir = None
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    sys.argv[1:] = request["args"]


def _import_all() -> None:
    """What any command may import: a run that lacks a library says so itself."""
    for module in pkgutil.walk_packages(vendorpack.__path__, "vendorpack.", lambda _name: None):
        if not module.name.endswith(("__main__", "contract")):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)


def _run() -> NoReturn:
    """As `python -m vendorpack`, without taking the interpreter apart at the end."""
    code = 1
    try:
        runpy.run_module("vendorpack", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    if sys.getfilesystemencoding() != "utf-8":  # as the command itself starts anew then
        os.execv(sys.executable, [sys.executable, "-X", "utf8", "-m", "tests.warm", sys.argv[1]])
    _import_all()
    gc.collect()
    gc.freeze()  # so that no child copies what it has of ours
    _serve(socket.socket(fileno=int(sys.argv.pop(1))))
    _run()
