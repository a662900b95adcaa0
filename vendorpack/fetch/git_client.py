"""The git client, bound to one scratch repository: how commits come in.

It runs with no configuration, no hooks, no prompts, no submodules and a list of protocols it may
use; lockfiles are not trusted with more than a URL that was checked here.

An artifact's address is `git+<url>[?<ref>]#<commit>`. The ref is where a server that does not
hand out commits by id is asked instead; it is percent-encoded and decides nothing else. An artifact
that is pinned by another hash than its commit's may be named by the ref alone, without `#`, or by
a commit's first digits (`git_export`).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final, Required, TypedDict
from urllib.parse import unquote, urlsplit, urlunsplit

from vendorpack.dataclass import dataclass
from vendorpack.errors import FetchError, PolicyError, UnsupportedError
from vendorpack.fetch.address import PORTS
from vendorpack.redact import redact_text, redact_url

PROTOCOLS: Final = ("https", "ssh")
"""What git may speak unless the caller says otherwise."""

_REF: Final = re.compile(r"(?!-)(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)))[^\x00-\x20\x7f ~^:?*\[\\]+")
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^\x00-\x20\x7f]+")
_PASSED_ON: Final = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "SSH_AUTH_SOCK"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "HTTPS_PROXY", "https_proxy"}
    | {"http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"}
)
_KEPT_FOR_CREDENTIALS: Final = frozenset(
    {"XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_ASKPASS", "SSH_ASKPASS"}
    | {"GIT_SSH_COMMAND", "GIT_SSH"}
)
_OUT_OF_REACH: Final = re.compile(
    "could not resolve|unable to access|authentication failed|could not read|permission denied|"
    "repository .*not found|not appear to be a git repository|not allowed|connection|timed out",
    re.IGNORECASE,
)
_MOVED: Final = re.compile("returned error: 30[12378]|unable to update url base from redirection")
"""What git says of an answer that leads elsewhere, which it is not allowed to follow."""
_TRANSPORT: Final = re.compile(r"transport '([\w.+-]+)' not allowed")
_ADVICE: Final = (
    "Where git needs your own configuration for this host (a credential helper, insteadOf, an ssh "
    "command), say --git-config."
)
_VERSION: Final = re.compile(r"(\d+)\.(\d+)")
_MAX_TAGS: Final = 16
"""Tags of tags of tags …: more than that is nobody's release."""
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class GitAddress:
    """Where a commit is to be had. `commit` may be cut short or empty: see this module."""

    url: str
    commit: str
    ref: str | None = None

    @classmethod
    def parse(cls, address: str) -> GitAddress:
        """Read `git+<url>[?<ref>][#<commit>]`. Raises `UnsupportedError`."""
        url, _, commit = address.removeprefix("git+").partition("#")
        url, _, ref = url.partition("?")
        if not address.startswith("git+") or not url or not (commit or ref):
            raise UnsupportedError("not the address of a git commit", where=redact_url(address))
        return cls(url, commit, unquote(ref) or None)


def _checked(address: GitAddress, protocols: Sequence[str], shown: str) -> tuple[str, str | None]:
    """The URL as git may see it, and the Authorization header its userinfo stands for."""
    if address.ref is not None and not _REF.fullmatch(address.ref):
        raise PolicyError("a git ref has characters that no ref may have", where=shown)
    if not _URL.fullmatch(address.url):
        raise PolicyError("not a URL that git may be given", where=shown)
    try:
        parts = urlsplit(address.url)
        host, user, password = parts.hostname or "", parts.username, parts.password
    except ValueError:
        raise PolicyError("not a URL that git may be given", where=shown) from None
    if parts.scheme not in protocols:
        raise PolicyError(
            f"git may not use {parts.scheme!r}",
            where=shown,
            fix=f"Allowed: {', '.join(protocols)}.",
        )
    if host.startswith("-") or (user or "").startswith("-") or parts.path.startswith("/-"):
        raise PolicyError("a git URL that could be read as an option", where=shown)
    if not host and parts.scheme != "file":
        raise PolicyError("a git URL without a host", where=shown)
    if parts.scheme not in ("http", "https") or user is None:
        return address.url, None
    # Command lines are everybody's to read, so a token goes in by the environment.
    secret = f"{unquote(user)}:{unquote(password or '')}".encode()
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return bare, "Basic " + base64.b64encode(secret).decode()


def _environment(
    environ: Mapping[str, str], work: Path, protocols: Sequence[str], *, keep_config: bool
) -> dict[str, str]:
    """All that git gets to see of the environment."""
    names = _PASSED_ON | _KEPT_FOR_CREDENTIALS if keep_config else _PASSED_ON
    result = {name: value for name, value in environ.items() if name in names}
    result |= {
        "LC_ALL": "C",
        "GIT_DIR": str(work),
        "GIT_ALLOW_PROTOCOL": ":".join(protocols),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
    }
    if not keep_config:
        # It would win over the user's core.sshCommand.
        result["GIT_SSH_COMMAND"] = "ssh -oBatchMode=yes -oConnectTimeout=30"
        result |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    return result


def _authorized(url: str, authorization: str | None) -> dict[str, str]:
    """Git's environment for a header that goes to the URL's own origin."""
    if authorization is None:
        return {}
    parts = urlsplit(url)
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{parts.scheme}://{parts.netloc}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: {authorization}",
    }


class GitSettings(TypedDict, total=False):
    """How git is to run.

    environ: what git's own environment is picked from, by name.
    protocols: what it may speak; https and ssh.
    authorization: value of the Authorization header.
    keep_config: let git read the user's and system's configuration (credential helpers,
        `insteadOf`, ssh commands).
    seconds: what one git command may take.
    judged: the only IP addresses that the host may have for git, which asks for them again.
    """

    environ: Required[Mapping[str, str]]
    protocols: Sequence[str]
    authorization: str | None
    keep_config: bool
    seconds: float
    judged: Sequence[str]


class MovedError(FetchError):
    """The repository is elsewhere by now: whoever asked has to find out and judge where."""


class OutOfReach(FetchError):
    """The repository cannot be reached, or is not for everybody: no other way of asking helps."""


@dataclass(frozen=True, slots=True)
class Git:
    """The git client, bound to one scratch repository."""

    url: str
    work: Path
    environ: Mapping[str, str]
    seconds: float
    shown: str
    configured: bool
    """Whether it reads the user's own configuration."""
    settings: Sequence[str] = ()
    """Further ones of git's configuration, `name=value`."""

    @contextlib.asynccontextmanager
    async def start(
        self, *arguments: str, stdin: BinaryIO | None = None
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """A running command; it and its children are gone when the block is left."""
        settings = (
            "protocol.ext.allow=never",
            f"core.hooksPath={os.devnull}",
            "core.fsmonitor=false",
            "submodule.recurse=false",
            "gc.auto=0",
            "maintenance.auto=false",
            "http.followRedirects=false",
            "http.lowSpeedLimit=1000",
            "http.lowSpeedTime=60",
            *self.settings,
        )
        options = [word for setting in settings for word in ("-c", setting)]
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                *options,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL if stdin is None else stdin,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=dict(self.environ),
                cwd=self.work,
                limit=1 << 20,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise FetchError(
                "git is not installed, and a dependency is a git commit",
                where=self.shown,
                fix="Install git on this machine; the target may need it too.",
            ) from None
        try:
            async with asyncio.timeout(self.seconds):
                yield process
        except TimeoutError:
            raise FetchError(
                f"git took longer than {self.seconds:g} seconds", where=self.shown
            ) from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.communicate()

    async def run(self, *arguments: str) -> bytes:
        """Run a command to its end: its standard output. Raises `FetchError`."""
        async with self.start(*arguments) as process:
            output, errors = await process.communicate()
        self._check(process, arguments, errors)
        return output

    async def pour(self, out: BinaryIO, limit: int, *arguments: str) -> int:
        """Append a command's standard output to a file, not more than `limit` bytes of it.

        Returns how many. Raises `FetchError`, `UnsupportedError` for more than that.
        """
        size = 0
        async with self.start(*arguments) as process:
            assert process.stdout is not None
            while chunk := await process.stdout.read(_CHUNK):
                size += len(chunk)
                if size > limit:
                    raise UnsupportedError(
                        f"a git commit holds more than {limit >> 20} MiB", where=self.shown
                    )
                out.write(chunk)
            _, errors = await process.communicate()
        self._check(process, arguments, errors)
        return size

    def _check(
        self, process: asyncio.subprocess.Process, arguments: Sequence[str], errors: bytes
    ) -> None:
        if process.returncode != 0:
            said = redact_text(errors.decode(errors="replace").strip())
            raise FetchError(f"git {arguments[0]} failed: {said[-1000:]}", where=self.shown)

    async def init(self, id_digits: int) -> None:
        """Make the scratch repository, for ids of so many hex digits."""
        object_format = "sha1" if id_digits == 40 else "sha256"
        await self.run(
            "init", "--quiet", "--bare", "--template=", f"--object-format={object_format}", "."
        )

    async def ask(self, *arguments: str) -> bytes:
        """`run`, for a command that goes to the remote. Redirects are not followed.

        Raises `MovedError` and `OutOfReach` too.
        """
        try:
            return await self.run(*arguments)
        except FetchError as error:
            if _MOVED.search(error.what):
                raise MovedError(error.what, where=self.shown) from None
            if not _OUT_OF_REACH.search(error.what):
                raise
            fix = await self._way_out(error.what)
            raise OutOfReach(error.what, where=error.where, fix=fix) from None

    async def _way_out(self, said: str) -> str | None:
        refused = _TRANSPORT.search(said)
        if refused is None:
            return None if self.configured else _ADVICE
        if refused[1] != "http":
            return (
                f"git may speak https and ssh here, and not {refused[1]}: lead it to one of these."
            )
        asked = await self.run("ls-remote", "--get-url", self.url)
        host = urlsplit(asked.decode(errors="replace").strip()).netloc.rpartition("@")[2]
        return f"git is led to plain http. If that is meant: --allow-host http://{host}."

    async def require(self, version: tuple[int, int], what: str) -> None:
        """Raise `PolicyError` if git is older than a version that is needed for `what`."""
        said = (await self.run("version")).decode(errors="replace")
        found = _VERSION.search(said)
        if found is None or (int(found[1]), int(found[2])) < version:
            raise PolicyError(
                f"git {version[0]}.{version[1]} or newer is needed for {what}",
                where=f"{self.shown}\n{said.strip()[:100]}",
                fix="Update git; or name the host that the repository is on now with --allow-host.",
            )

    async def fetch(self, *arguments: str) -> None:
        """Fetch what is named, and nothing beside it. Raises `FetchError`, `OutOfReach`."""
        await self.ask("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", *arguments)

    async def fetch_commit(self, commit: str, ref: str | None) -> None:
        """Get a commit's objects: by id if the server allows, else by ref, else everything."""
        # Where the name of the ref is not known, all that the server shows is taken.
        tries: list[list[str]] = [["--depth=1", "--", self.url, commit]]
        if ref is not None:
            tries.append(["--", self.url, f"+{ref}:refs/vendorpack/ref"])
        tries.append(["--", self.url, "+refs/*:refs/vendorpack/all/*"])
        failure: FetchError | None = None
        for arguments in tries:
            try:
                await self.fetch(*arguments)
            except (MovedError, OutOfReach):
                raise
            except FetchError as error:
                failure = error
                continue
            failure = None
            if await self.tags_and_commit(commit):
                return
        raise failure or FetchError(
            f"the repository has no commit {commit}",
            where=self.shown,
            fix="It may have been removed by a forced push: lock the dependency anew.",
        )

    async def tags_and_commit(self, pinned: str) -> list[str]:
        """The pinned id and, if it is a tag's, what it leads to; empty if no commit is there."""
        chain = [pinned]
        try:
            while (kind := await self.run("cat-file", "-t", chain[-1])) == b"tag\n":
                content = await self.run("cat-file", "tag", chain[-1])
                chain.append(content.partition(b"\n")[0].removeprefix(b"object ").decode("ascii"))
                if len(chain) > _MAX_TAGS:
                    return []
        except FetchError:
            return []
        return chain if kind == b"commit\n" else []


@contextlib.asynccontextmanager
async def scratch(
    address: GitAddress,
    beside: Path,
    *,
    environ: Mapping[str, str],
    protocols: Sequence[str] = PROTOCOLS,
    authorization: str | None = None,
    keep_config: bool = False,
    seconds: float = 1800,
    judged: Sequence[str] = (),
) -> AsyncIterator[Git]:
    """git for an address that is checked here, in a folder beside `beside` that goes again.

    See `GitSettings`. Raises `PolicyError` for a protocol or URL that is not allowed.
    """
    shown = redact_url(address.url)
    url, userinfo_header = _checked(address, protocols, shown)
    with tempfile.TemporaryDirectory(prefix=beside.name + ".", dir=beside.parent) as work:
        settings = _environment(environ, Path(work), protocols, keep_config=keep_config)
        settings |= _authorized(url, authorization or userinfo_header)
        held = [_held_to(url, judged)] if judged else []
        git = Git(url, Path(work), settings, seconds, shown, keep_config, held)
        if judged:
            await git.require((2, 37), "a repository that moved to a host that is not allowed")
        yield git


def _held_to(url: str, judged: Sequence[str]) -> str:
    """The setting by which git, which asks for a host's addresses itself, has these."""
    parts = urlsplit(url)
    port = parts.port or PORTS[parts.scheme]
    listed = ",".join(f"[{address}]" if ":" in address else address for address in judged)
    return f"http.curloptResolve={parts.hostname}:{port}:{listed}"
