"""The tree of a git commit as `git archive` exports it, for artifacts that are made of one.

Such an artifact is pinned by a hash of its own and not by its commit, so what the commit is named
by may be a tag, or its first digits. Attributes change line ends and more, which is left to git.
The file is two tars, one after the other::

    tree/…    as `git archive` writes it, but nothing is left out or filled in by
              `export-ignore` and `export-subst`
    raw/…     the bytes that are in the repository: no attribute counts

Only commits count that branches and tags lead to: a host may have others under the same address,
which anybody proposed.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final, Unpack

from vendorpack.errors import FetchError, UnsupportedError
from vendorpack.fetch.git_client import Git, GitAddress, GitSettings, scratch

MAX_EXPORT_SIZE: Final = 4 << 30
"""Bytes of each of the two tars."""

_ID: Final = re.compile(r"[0-9a-f]{12,64}")
_BRANCHES_AND_TAGS: Final = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_PEELED: Final = "^{}"
_TREE: Final = "* -export-subst -export-ignore"
_RAW: Final = f"{_TREE} -text -crlf -eol -ident -filter -working-tree-encoding"


async def export_commit(address: GitAddress, out: Path, **settings: Unpack[GitSettings]) -> None:
    """Write the export of a commit, named by a ref or by (the first digits of) its id, to `out`.

    Raises `PolicyError` for a protocol or URL that is not allowed, `UnsupportedError` for too short
    an id and too large a tree, `FetchError`.
    """
    async with scratch(address, out, **settings) as git:
        if address.commit and not _ID.fullmatch(address.commit):
            raise UnsupportedError("not the first digits of a commit's id", where=git.shown)
        refs = await _refs(git)
        found = _named(git, address, refs)
        await git.init(len(next(iter(refs.values()), "0" * 40)))
        if found is None:
            commit = await _searched(git, address.commit)
        else:
            commit = found.commit
            await git.fetch_commit(commit, found.ref)
        with out.open("wb") as file:
            await _archive(git, commit, "tree/", _TREE, file)
            await _archive(git, commit, "raw/", _RAW, file)


async def _refs(git: Git) -> dict[str, str]:
    """Name to id of HEAD, branches and tags, as the remote has them."""
    listed = await git.ask("ls-remote", "--quiet", "--", git.url)
    pairs = (line.split("\t", 1) for line in listed.decode(errors="replace").splitlines())
    return {
        pair[1]: pair[0]
        for pair in pairs
        if len(pair) == 2 and pair[1].startswith(("HEAD", "refs/heads/", "refs/tags/"))
    }


def _named(git: Git, address: GitAddress, refs: dict[str, str]) -> GitAddress | None:
    """The commit's full id, and a ref that leads to it, as far as `refs` tell."""
    if not address.commit:
        ref = address.ref or ""
        commit = refs.get(ref + _PEELED) or refs.get(ref)
        if commit is None:
            raise FetchError(
                f"the repository has no {ref}",
                where=git.shown,
                fix="It may have been removed since: lock the dependency anew.",
            )
        return replace(address, commit=commit)
    tips = {
        commit: ref.removesuffix(_PEELED)
        for ref, commit in sorted(refs.items(), reverse=True)
        if commit.startswith(address.commit)
    }
    if len(tips) > 1:
        raise FetchError(f"{address.commit} is several commits' beginning", where=git.shown)
    return next((replace(address, commit=commit, ref=ref) for commit, ref in tips.items()), None)


async def _searched(git: Git, digits: str) -> str:
    """The full id of a commit that lies behind the tips; all of them are fetched for it."""
    await git.fetch("--", git.url, *_BRANCHES_AND_TAGS)
    try:
        found = await git.run("rev-parse", "--verify", "--quiet", f"{digits}^{{commit}}")
    except FetchError:
        raise FetchError(
            f"no branch and no tag of the repository leads to a commit {digits}…",
            where=git.shown,
            fix="It may have been removed by a forced push: lock the dependency anew.",
        ) from None
    return found.decode("ascii").strip()


async def _archive(git: Git, commit: str, prefix: str, attributes: str, out: BinaryIO) -> None:
    info = git.work / "info"
    info.mkdir(exist_ok=True)
    (info / "attributes").write_text(f"{attributes}\n")
    # The defaults of the system, and of the user where they count, are not the tree's.
    settings = ("-c", "core.autocrlf=input", "-c", "core.eol=lf")
    command = ("archive", "--format=tar", f"--prefix={prefix}", commit)
    await git.pour(out, MAX_EXPORT_SIZE, *settings, *command)
