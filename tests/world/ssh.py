"""A real sshd on a port of the loopback, with keys and a configuration of its own.

OpenSSH's server, run as an ordinary process: nothing of the machine's own ssh is read or changed.
Whoever runs the tests logs in with a key made for it, and may do nothing but fetch by git.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real.clients import miss, tool

_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding no
X11Forwarding no
AcceptEnv GIT_PROTOCOL
LogLevel VERBOSE
"""


class SshServer:
    """Serves bare repositories at `ssh://git@127.0.0.1:PORT/NAME.git`, while it is entered.

    key: a private key that opens it. known_hosts: a file that knows the server.
    """

    def __init__(self, folder: Path, repositories: Path) -> None:
        self.key = folder / "key"
        self.known_hosts = folder / "known_hosts"
        self._folder, self._repositories = folder, repositories
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Without a slash behind; `git` is the user, as at every host of repositories."""
        return f"ssh://git@127.0.0.1:{self._port}"

    @property
    def host(self) -> str:
        """What `--allow-host` takes."""
        return f"127.0.0.1:{self._port}"

    @property
    def command(self) -> str:
        """The ssh command (GIT_SSH_COMMAND) that knows key, host and who really logs in."""
        return (
            f"ssh -F none -l {getpass.getuser()} -i {self.key} -oIdentitiesOnly=yes "
            f"-oBatchMode=yes "
            f"-oUserKnownHostsFile={self.known_hosts} -oStrictHostKeyChecking=yes"
        )

    @property
    def log(self) -> str:
        """What the server has said so far."""
        return (self._folder / "log").read_text(errors="replace")

    def __enter__(self) -> Self:
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
        if program is None:
            miss("sshd is not installed (Debian: openssh-server)")
        tool("git")
        self._folder.mkdir(parents=True)
        for name in ("host_key", "key"):
            generate = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]
            subprocess.run([tool(generate[0]), *generate[1:], self._folder / name], check=True)
        self._write_files()
        for _ in range(5):
            if self._started(program):
                return self
        raise AssertionError(f"sshd did not start:\n{self.log}")

    def _write_files(self) -> None:
        script = self._folder / "serve"
        script.write_text(
            "#!/bin/sh\n"
            "# git-upload-pack '/NAME.git' or 'NAME.git', below the folder that is served\n"
            'path=${SSH_ORIGINAL_COMMAND#"git-upload-pack \'"}\n'
            'case "$path" in "$SSH_ORIGINAL_COMMAND" | *..*) exit 1 ;; esac\n'
            "path=${path%\\'}\n"
            "path=${path#/}\n"
            "export GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'\n"
            "export GIT_CONFIG_KEY_1=uploadpack.allowAnySHA1InWant GIT_CONFIG_VALUE_1=true\n"
            f'exec git upload-pack "{self._repositories}/$path"\n'
        )
        script.chmod(0o755)
        public = (self._folder / "key.pub").read_text()
        keys = self._folder / "authorized_keys"
        keys.write_text(f'restrict,command="{script}" {public}')
        keys.chmod(0o600)

    def _started(self, program: str) -> bool:
        """Try a free port: somebody else may take it before sshd does."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        config = self._folder / "sshd_config"
        config.write_text(_CONFIG.format(port=self._port, folder=self._folder))
        public = " ".join((self._folder / "host_key.pub").read_text().split()[:2])
        self.known_hosts.write_text(f"[127.0.0.1]:{self._port} {public}\n")
        command = [program, "-D", "-f", str(config), "-E", str(self._folder / "log")]
        if os.geteuid() == 0:
            # Root's sshd wants an empty folder at a fixed place: in a mount namespace of its own.
            room = 'mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/sshd && exec "$@"'
            command = ["unshare", "-m", "sh", "-c", room, "sh", *command]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while time.monotonic() < end and self._process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self._port), 1) as connection:
                    if connection.recv(8).startswith(b"SSH-"):
                        return True
            except OSError:
                time.sleep(0.02)
        self._stop()
        return False

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()
