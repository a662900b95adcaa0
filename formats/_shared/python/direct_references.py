"""Requirements that say where they come from: archives at an address, commits in git (PEP 440).

What pins an archive is its hash, in the requirement or in the address's fragment; what pins a
git requirement is a full commit id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

from vendorpack.digest import SIZES, Digest, DigestError, Integrity
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.git.addresses import check_address
from vendorpack.formats._shared.git.repository import commit_address, commit_integrity
from vendorpack.formats._shared.python.distributions import Distribution, GitProject
from vendorpack.formats._shared.python.index import (
    check_filename,
    filename_of,
    normalize,
    purl,
    without_userinfo,
)
from vendorpack.formats._shared.python.wheels import is_wheel, release_of
from vendorpack.model import Target
from vendorpack.redact import redact_url

VCS: Final = ("git+", "hg+", "svn+", "bzr+")
"""How addresses of version control systems begin."""
_SCP: Final = re.compile(r"([\w.-]+@[\w.-]+):(?!//)(.+)", re.ASCII)


def archive(
    name: str,
    url: str,
    digests: Iterable[Digest],
    *,
    targets: Sequence[Target],
    places: tuple[str, ...],
    where: str,
    why: tuple[str, ...] = (),
    size: int | None = None,
    subdirectory: str | None = None,
) -> Distribution:
    """An archive at `url`. Its fragment's hash and subdirectory count.

    Raises `LockfileError` for an address or a hash that makes no sense.
    """
    parts = split_url(url, where)
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise LockfileError(f"not an http(s) address: {redact_url(url)}", where=where)
    whole = urlunsplit(parts._replace(fragment=""))
    bare = without_userinfo(whole)
    fragment = dict(parse_qsl(parts.fragment))
    try:
        locked = Integrity.of(
            [*digests, *(Digest.from_hex(a, fragment[a]) for a in SIZES if a in fragment)]
        )
    except DigestError as error:
        raise LockfileError(str(error), where=where) from None
    filename = check_filename(filename_of(bare) or "archive", where)
    version = release_of(filename, name)
    return Distribution(
        name=name,
        version=str(version) if version is not None else "",
        purl=purl(name, str(version)) if version is not None else f"pkg:pypi/{name}",
        url=bare,
        fetch_from=(whole,) if whole != bare else (),
        integrity=locked,
        size=size,
        why=why,
        where=where,
        filename=filename,
        places=places,
        built_for=() if is_wheel(filename) else tuple(targets),
        subdirectory=subdirectory or fragment.get("subdirectory", ""),
    )


def git_project(
    name: str,
    url: str,
    commit: str,
    *,
    targets: Sequence[Target],
    where: str,
    why: tuple[str, ...] = (),
    subdirectory: str = "",
) -> GitProject:
    """A commit of the repository at `url` (without `git+`).

    Raises `UnsupportedError` if the commit is not given in full, or a password is in the way.
    """
    url = _with_scheme(url)
    parts = split_url(url, where)
    check_address(name, url, parts, where)
    return GitProject(
        name=name,
        version=commit[:12],
        purl=f"pkg:pypi/{name}",
        url=commit_address(url, commit),
        integrity=commit_integrity(commit, where),
        why=why,
        where=where,
        remote=url,
        commit=commit,
        built_for=tuple(targets),
        subdirectory=subdirectory,
    )


def submodule(parent: GitProject, path: str, url: str, commit: str) -> GitProject:
    """The artifact for a submodule of a commit. Raises as `git_project`."""
    where = f"{parent.where} ({parent.name}, submodule {path})"
    made = git_project(parent.name, url, commit, targets=(), where=where, why=parent.why)
    return replace(made, is_submodule=True)


def split_vcs(text: str, where: str) -> tuple[str, str, str, str]:
    """Repository, revision, name and subdirectory of `git+<url>[@<rev>][#egg=…&subdirectory=…]`.

    Missing parts are empty. Raises `UnsupportedError` for other systems than git.
    """
    if not text.startswith("git+"):
        raise UnsupportedError(
            f"{text.partition('+')[0]} repositories cannot be packed",
            where=where,
            fix="Name an archive or a release of the project.",
        )
    parts = split_url(text.removeprefix("git+"), where)
    fragment = dict(parse_qsl(parts.fragment))
    path, at, revision = parts.path.rpartition("@")
    url = urlunsplit(parts._replace(path=path if at else parts.path, fragment=""))
    name = normalize(fragment.get("egg", "").partition("[")[0])
    return url, revision if at else "", name, fragment.get("subdirectory", "")


def split_url(url: str, where: str) -> SplitResult:
    """The parts of an address. Raises `LockfileError` if it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.hostname, parts.port
    except ValueError:
        raise LockfileError(f"not an address: {redact_url(url)}", where=where) from None
    return parts


def _with_scheme(url: str) -> str:
    """`git@host:path`, as some locks write it, in the form that clients hand to git."""
    match = _SCP.fullmatch(url)
    return f"ssh://{match[1]}/{match[2].lstrip('/')}" if match else url
