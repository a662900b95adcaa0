"""Where a module is kept that comes from version control and from no proxy, as go finds it.

::

    known host           github.com/OWNER/NAME[/FOLDER…]         by the path alone
    a suffix             HOST/PATH.git[/FOLDER…]                 by the path alone
    anything else        https://MODULE?go-get=1, its page says  <meta name="go-import"
                             content="ROOT git URL [FOLDER]">    or `mod` for `git`: a proxy's URL

(cmd/go of 1.26: internal/vcs/vcs.go.) Other systems than git are not asked.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urlsplit

from vendorpack.errors import FetchError, UnsupportedError
from vendorpack.formats._shared.git.addresses import check_address
from vendorpack.formats.gomod.modules import ModuleFile, Repository
from vendorpack.room import Index

_KNOWN: Final = re.compile(r"((?:github\.com|bitbucket\.org)/[\w.-]+/[\w.-]+)(?:/[\w.-]+)*", re.A)
_SUFFIX: Final = re.compile(
    r"(((?:[a-z0-9.-]+\.)+[a-z0-9.-]+(?:/~?[\w.-]+)+?)\.git)(?:/~?[\w.-]+)*", re.A
)
_MAX_PAGE: Final = 1 << 20
_REFS: Final = "/info/refs?service=git-upload-pack"
"""What git asks an http server for first."""
_MAX_REFS: Final = 64 << 20
_PROXY: Final = "mod"


def known_repository(path: str) -> Repository | None:
    """The repository of a module whose path says where it is."""
    known = _KNOWN.fullmatch(path)
    if known:
        return Repository(f"https://{known[1]}", known[1])
    suffix = _SUFFIX.fullmatch(path)
    return Repository(f"https://{suffix[2]}", suffix[1]) if suffix else None


async def placed(
    files: Sequence[ModuleFile], index: Index
) -> tuple[list[ModuleFile], frozenset[str]]:
    """The files, with where they are kept that come from no proxy, and the hosts that pages named.

    A host that the user's configuration names may say where its modules are, but plain http is the
    user's own to allow. Raises `FetchError` where there is no such page, `UnsupportedError` for
    what is not kept by git.
    """
    unknown = {file.name: file for file in files if file.is_direct and file.url is None}
    found = await asyncio.gather(*(_sought(file, index) for file in unknown.values()))
    places = dict(zip(unknown, found, strict=True))
    urls = (place.url if isinstance(place, Repository) else place for place in found)
    hosts = {
        f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        for parts in map(urlsplit, urls)
        if parts.scheme != "http"
    }
    return [_at(file, places.get(file.name)) for file in files], frozenset(hosts)


def _at(file: ModuleFile, place: Repository | str | None) -> ModuleFile:
    if isinstance(place, Repository):
        return replace(file, url=place.address(file.module), repository=place)
    if place is None:
        return file
    return replace(file, url=f"{place}/{file.module.escaped}.{file.suffix}")


async def _sought(file: ModuleFile, index: Index) -> Repository | str:
    """Where a module is: over plain http, if it may, where https fails."""
    schemes = ("https", "http") if file.insecure else ("https",)
    for scheme in schemes:
        try:
            known = known_repository(file.name)
            if known is None:
                return await _found(file.name, index, file.where, scheme)
            url = f"{scheme}{known.url.removeprefix('https')}"
            await index.get(f"{url}{_REFS}", max_size=_MAX_REFS)
            return replace(known, url=url)
        except FetchError:
            if scheme == schemes[-1]:
                raise
    raise AssertionError("the last one returned or raised")


async def _found(path: str, index: Index, where: str, scheme: str) -> Repository | str:
    """The repository that a module's page names, or the address of a proxy that has the module."""
    tag = await _tag(path, path, index, where, scheme)
    root, kind, url = tag[:3]
    if root != path and await _tag(root, path, index, where, scheme) != tag:
        raise FetchError(
            f"the pages of {path} and {root} disagree about where it is kept",
            where=where,
            fix="Tell whoever runs the server.",
        )
    if kind not in ("git", _PROXY):
        raise UnsupportedError(
            f"{path} is kept by {kind[:20]!r}, and only git is asked",
            where=where,
            fix="Serve it by a module proxy, or vendor it.",
        )
    check_address(path, url, urlsplit(url), where)
    if kind == _PROXY:
        return url.rstrip("/")
    folder = "".join(tag[3:])
    if {"?", "#"} & set(url) or {"", ".", ".."} & {*folder.split("/")[: len(folder)]}:
        raise UnsupportedError(f"the page of {path} names no repository of git", where=where)
    return Repository(url, root, folder)


async def _tag(page: str, path: str, index: Index, where: str, scheme: str) -> list[str]:
    """What the go-import tag for `path` has on the page of `page`."""
    url = f"{scheme}://{page}?go-get=1"
    try:
        answer = await index.get(url, accept="text/html", max_size=_MAX_PAGE)
    except FetchError as error:
        error.where = f"{where}: {path}\n{error.where or url}"
        advice = (
            "go asks that page where the module is kept. Is it private? Its server may want a "
            "login in ~/.netrc; a path that ends in .git needs no page."
        )
        error.fix = f"{error.fix}\n{advice}" if error.fix else advice
        raise
    tags = [tag for tag in _tags(answer.body) if f"{path}/".startswith(f"{tag[0]}/")]
    tags.sort(key=lambda tag: tag[1] != _PROXY)
    if not tags or (len(tags) > 1 and tags[0][1] != _PROXY):
        count = "no go-import tag" if not tags else "several go-import tags"
        raise FetchError(f"the page has {count} for {path}", where=f"{where}: {path}\n{url}")
    return tags[0]


def _tags(page: bytes) -> Iterator[list[str]]:
    reader = _Tags()
    reader.feed(page.decode(errors="replace"))
    return iter(reader.found)


class _Tags(HTMLParser):
    """The go-import tags of a page's head."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[list[str]] = []
        self._ended = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._ended |= tag == "body"
        said = dict(attrs)
        words = (said.get("content") or "").split()
        is_import = tag == "meta" and said.get("name") == "go-import"
        if is_import and len(words) in (3, 4) and not self._ended:
            self.found.append(words)

    def handle_endtag(self, tag: str) -> None:
        self._ended |= tag == "head"
