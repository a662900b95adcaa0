"""run: a command with a bundle that is unpacked for it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from vendorpack import boundary, serving
from vendorpack.bundle.manifest import Manifest
from vendorpack.bundle.pieces import in_bundle
from vendorpack.bundle.reader import Bundle, open_bundle
from vendorpack.commands.expected import Expected
from vendorpack.commands.using import environ_of
from vendorpack.console import Console
from vendorpack.errors import UsageError
from vendorpack.formats import supplement
from vendorpack.machine import cores
from vendorpack.project import Host
from vendorpack.store.trees import RunTrees

_PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP)
_NO_PROXY: Final = ("no_proxy", "NO_PROXY")
_HTTP_PROXY: Final = ("http_proxy", "HTTP_PROXY", "npm_config_proxy")
"""Not passed to a command that is served: some clients (node-pre-gyp) would ask it all the same."""


def run(
    path: Path,
    command: Sequence[str],
    expected: Expected,
    served: bool,
    console: Console,
    host: Host,
) -> int:
    """Unpack to a folder of our own, and become the command.

    served: offer plain files over http while the command runs; then its exit code is returned.
    """
    if command[0] == "--":
        command = command[1:]
    if not command:
        raise UsageError("nothing to run", fix="vendorpack run BUNDLE -- COMMAND…")
    with open_bundle(path) as bundle:
        expected.check(bundle.manifest.head, bundle.id, path)
        boundary.refuse_unknown(bundle.unknown)
        expected.prove(bundle.manifest, in_bundle(bundle), console, host)
        manifest, prefix = bundle.manifest, held_tree(bundle, host)
        pairs = environ_of(manifest.head.environment, prefix, host)
    environ = {**host.environ, **dict(pairs), "VENDORPACK_PREFIX": str(prefix)}
    program = shutil.which(command[0], path=environ.get("PATH"))
    if program is None:
        raise UsageError(f"there is no command {command[0]!r}")
    console.out.flush()
    if not served:
        os.execve(program, list(command), environ)  # noqa: S606 - becoming the command is the point
    return _beside_a_server(program, command, with_served(manifest, prefix, environ))


def held_tree(bundle: Bundle, host: Host) -> Path:
    """Where the bundle lies unpacked for as long as this process and what it starts live."""
    from vendorpack.unpack import ways as unpacking  # noqa: PLC0415

    prefix = RunTrees.of(host).hold(bundle.id)
    unpacking.unpack_to_prefix(bundle, prefix, jobs=cores(), replace=True)
    return prefix


def with_served(manifest: Manifest, prefix: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Offer the plain files of an unpacked bundle until this process ends; the environment for it.

    Raises `UsageError` if it has none, `StoreError` if nothing can be served.
    """
    room = supplement()
    below = f"{room.plain_files}/"
    paths = [file.path for file in manifest.files if file.path.startswith(below)]
    if not paths:
        raise UsageError(
            "the bundle has no plain file to serve",
            fix="Leave --serve out: every client finds what it needs by the bundle's variables.",
        )
    names = {path.removeprefix(below): prefix / path for path in paths}
    address = serving.serve(names)
    proxied = [value for name in _NO_PROXY if (value := environ.get(name))]
    direct = ",".join([*proxied[:1], "127.0.0.1"])
    kept = {name: value for name, value in environ.items() if name not in _HTTP_PROXY}
    return kept | dict(room.served(sorted(names), address)) | dict.fromkeys(_NO_PROXY, direct)


def _beside_a_server(program: str, command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Start the command, pass on what ends us, and wait for it; its exit code."""
    child = subprocess.Popen(command, executable=program, env=environ, close_fds=False)
    # The terminal's own interrupt reaches the command too: it decides what comes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in _PASSED_ON:
        signal.signal(number, lambda given, _: child.send_signal(given))
    code = child.wait()
    return code if code >= 0 else 128 - code
