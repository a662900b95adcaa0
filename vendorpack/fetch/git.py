"""Git commits: one is fetched by its full id and written down as one canonical pack file.

The pack file is the artifact: its bytes depend on the commit's id alone, not on the server,
the git that fetched it or its zlib. It is an ordinary git pack, version 2, of the commit, its
trees and its blobs (no parents, no submodules' commits), and so small and plain that another
module can prove it, `vendorpack.formats._shared.git.pack`::

    "PACK" | u32 2 | u32 number of objects
    for each object, by rising id:
        type and size, git's variable-length form
        zlib: 78 01 | stored blocks of 65535 bytes, the last one shorter | adler32
    hash of all before, in the repository's hash (SHA-1, or SHA-256 for 64-digit ids)

What is pinned may be an annotated tag, as some clients lock it: then it is in the pack too, with
the commit it leads to.

Stored, not deflated: the bundle's own compression sees the text and does better.

An artifact's address is `git+<url>[?<ref>]#<commit>`. The ref is where a server that does not
hand out commits by id is asked instead; it is percent-encoded and decides nothing else.

The git client runs with no configuration, no hooks, no prompts, no submodules and a list of
protocols it may use; lockfiles are not trusted with more than a URL that was checked here.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import re
import signal
import struct
import tempfile
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from vendorpack.errors import FetchError, IntegrityError, PolicyError, UnsupportedError
from vendorpack.redact import redact_text, redact_url

PROTOCOLS: Final = ("https", "ssh")
"""What git may speak unless the caller says otherwise."""
MAX_PACK_SIZE: Final = (1 << 31) - 1
"""Bytes. Beyond, a pack's index needs another form, and a source tree is none any more."""

_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
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
_ADVICE: Final = (
    "Where git needs your own configuration for this host (a credential helper, insteadOf, an ssh "
    "command), say --git-config."
)
_TYPES: Final = {b"commit": 1, b"tree": 2, b"blob": 3, b"tag": 4}
_MAX_TAGS: Final = 16
"""Tags of tags of tags …: more than that is nobody's release."""
_BLOCK: Final = 65535


@dataclass(frozen=True, slots=True)
class GitAddress:
    """Where a commit is to be had."""

    url: str
    commit: str
    ref: str | None = None

    @classmethod
    def parse(cls, address: str) -> GitAddress:
        """Read `git+<url>[?<ref>]#<commit>`. Raises `UnsupportedError`."""
        url, _, commit = address.removeprefix("git+").rpartition("#")
        url, _, ref = url.partition("?")
        if not address.startswith("git+") or not url:
            raise UnsupportedError("not the address of a git commit", where=redact_url(address))
        return cls(url, commit, unquote(ref) or None)


async def fetch_commit(
    address: GitAddress,
    out: Path,
    *,
    environ: Mapping[str, str],
    protocols: Sequence[str] = PROTOCOLS,
    authorization: str | None = None,
    keep_config: bool = False,
    seconds: float = 1800,
) -> None:
    """Fetch the commit and write its canonical pack to `out`; work files lie beside it.

    Every object is hashed again while it is written, but that the pack holds the whole
    commit and nothing else is for the caller to prove, as for any other download.

    environ: what git's own environment is picked from, by name.
    authorization: value of the Authorization header; redirects are then refused.
    keep_config: let git read the user's and system's configuration (credential helpers,
        `insteadOf`, ssh commands).
    seconds: what one git command may take.

    Raises `PolicyError` for a protocol or URL that is not allowed, `UnsupportedError` for a
    commit that is not given by its full id, `FetchError`, `IntegrityError`.
    """
    shown = redact_url(address.url)
    url, userinfo_header = _checked(address, protocols, shown)
    with tempfile.TemporaryDirectory(prefix=out.name + ".", dir=out.parent) as work:
        settings = _environment(environ, Path(work), protocols, keep_config=keep_config)
        settings |= _authorized(url, authorization or userinfo_header)
        git = _Git(Path(work), settings, seconds, shown, keep_config)
        await _fetch_objects(git, url, address)
        await _write_pack(git, address.commit, out)


def _checked(address: GitAddress, protocols: Sequence[str], shown: str) -> tuple[str, str | None]:
    """The URL as git may see it, and the Authorization header its userinfo stands for."""
    if not _COMMIT.fullmatch(address.commit):
        raise UnsupportedError(
            "a git source is not pinned to a full commit id",
            where=shown,
            fix="Lock it to a commit: 40 (or 64) hex digits.",
        )
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
    """Git's environment for a header that goes to the URL's own origin, and no redirects."""
    if authorization is None:
        return {}
    parts = urlsplit(url)
    return {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"http.{parts.scheme}://{parts.netloc}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: {authorization}",
        "GIT_CONFIG_KEY_1": "http.followRedirects",
        "GIT_CONFIG_VALUE_1": "false",
    }


@dataclass(frozen=True, slots=True)
class _Git:
    """The git client, bound to one scratch repository."""

    work: Path
    environ: Mapping[str, str]
    seconds: float
    shown: str
    configured: bool
    """Whether it reads the user's own configuration."""

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
            "http.lowSpeedLimit=1000",
            "http.lowSpeedTime=60",
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
        if process.returncode != 0:
            said = redact_text(errors.decode(errors="replace").strip())
            raise FetchError(f"git {arguments[0]} failed: {said[-1000:]}", where=self.shown)
        return output


async def _fetch_objects(git: _Git, url: str, address: GitAddress) -> None:
    """Get the commit's objects: by id if the server allows, else by ref, else everything."""
    object_format = "sha1" if len(address.commit) == 40 else "sha256"
    await git.run(
        "init", "--quiet", "--bare", "--template=", f"--object-format={object_format}", "."
    )
    # Where the name of the ref is not known, all that the server shows is taken.
    tries: list[list[str]] = [["--depth=1", "--", url, address.commit]]
    if address.ref is not None:
        tries.append(["--", url, f"+{address.ref}:refs/vendorpack/ref"])
    tries.append(["--", url, "+refs/*:refs/vendorpack/all/*"])
    failure: FetchError | None = None
    for arguments in tries:
        try:
            await git.run("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", *arguments)
        except FetchError as error:
            failure = error
            if _OUT_OF_REACH.search(error.what):
                error.fix = await _way_out(git, url, error.what)
                raise
            continue
        failure = None
        if await _tags_and_commit(git, address.commit):
            return
    raise failure or FetchError(
        f"the repository has no commit {address.commit}",
        where=git.shown,
        fix="It may have been removed by a forced push: lock the dependency anew.",
    )


async def _way_out(git: _Git, url: str, said: str) -> str | None:
    """What to do about a repository that is out of reach."""
    if not git.configured:
        return _ADVICE
    if "transport 'http' not allowed" not in said:
        return None
    asked = (await git.run("ls-remote", "--get-url", url)).decode(errors="replace").strip()
    host = urlsplit(asked).netloc.rpartition("@")[2]
    return f"Your configuration leads to plain http. If that is meant: --allow-host http://{host}."


async def _tags_and_commit(git: _Git, pinned: str) -> list[str]:
    """The pinned id and, if it is a tag's, what that leads to; empty if no commit is there."""
    chain = [pinned]
    try:
        while (kind := await git.run("cat-file", "-t", chain[-1])) == b"tag\n":
            content = await git.run("cat-file", "tag", chain[-1])
            chain.append(content.partition(b"\n")[0].removeprefix(b"object ").decode("ascii"))
            if len(chain) > _MAX_TAGS:
                return []
    except FetchError:
        return []
    return chain if kind == b"commit\n" else []


async def _write_pack(git: _Git, commit: str, out: Path) -> None:
    """Write the canonical pack of a commit, or tag, whose objects are all here."""
    *tags, pinned = await _tags_and_commit(git, commit)
    listed = await git.run("rev-list", "--objects", "--no-object-names", "--no-walk", pinned)
    names = sorted({*listed.split(), *(tag.encode() for tag in tags)})
    hash_name = "sha1" if len(commit) == 40 else "sha256"
    with tempfile.TemporaryFile(dir=git.work) as wanted, out.open("wb") as file:
        wanted.write(b"\n".join(names) + b"\n")
        wanted.seek(0)
        pack = _PackFile(file, hash_name)
        pack.write(b"PACK" + struct.pack(">II", 2, len(names)))
        async with git.start("cat-file", "--batch", "--buffer", stdin=wanted) as process:
            stream = process.stdout
            assert stream is not None
            try:
                for name in names:
                    await _copy_object(stream, name, hash_name, pack, git.shown)
            except asyncio.IncompleteReadError:
                raise FetchError("git stopped handing out objects", where=git.shown) from None
        file.write(pack.hash.digest())


async def _copy_object(
    stream: asyncio.StreamReader, name: bytes, hash_name: str, pack: _PackFile, shown: str
) -> None:
    """Copy one object from `git cat-file --batch` into the pack."""
    header = (await stream.readline()).split()
    if len(header) != 3 or header[0] != name or header[1] not in _TYPES:
        raise FetchError(f"git did not hand out object {name.decode()}", where=shown)
    kind, size = header[1], int(header[2])
    if pack.size + size > MAX_PACK_SIZE:
        raise UnsupportedError("a git commit holds more than 2 GiB", where=shown)
    identity = hashlib.new(hash_name, b"%s %d\0" % (kind, size), usedforsecurity=False)
    checksum, left = 1, size
    pack.write(_object_header(_TYPES[kind], size) + b"\x78\x01")
    while True:
        block = await stream.readexactly(min(left, _BLOCK))
        left -= len(block)
        identity.update(block)
        checksum = zlib.adler32(block, checksum)
        pack.write(struct.pack("<BHH", left == 0, len(block), len(block) ^ 0xFFFF))
        pack.write(block)
        if left == 0:
            break
    pack.write(struct.pack(">I", checksum))
    await stream.readexactly(1)
    if identity.hexdigest() != name.decode():
        raise IntegrityError(f"git object {name.decode()} has other bytes than its id", where=shown)


def _object_header(kind: int, size: int) -> bytes:
    """Type (3 bits) and size, seven bits a byte after the first four, lowest first."""
    result = bytearray()
    byte, size = kind << 4 | size & 15, size >> 4
    while size:
        result.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    result.append(byte)
    return bytes(result)


class _PackFile:
    """A file that hashes what is written to it."""

    def __init__(self, file: BinaryIO, hash_name: str) -> None:
        self._file = file
        self.hash = hashlib.new(hash_name, usedforsecurity=False)
        self.size = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.hash.update(data)
        self.size += len(data)
