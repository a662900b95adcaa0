"""The submodules that a commit pins: places in its tree, addresses in its `.gitmodules`."""

from __future__ import annotations

import re
from typing import BinaryIO, Final
from urllib.parse import urljoin

from vendorpack.dataclass import dataclass
from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.git.pack import BLOB, TREE, Pack, read_blob

_SECTION: Final = re.compile(r'\[submodule\s+"(?:[^"\\]|\\.)*"\]')
_VALUE: Final = re.compile(r'(path|url)\s*=\s*(?:"([^"\\]*)"|([^"\\#;]*?))\s*(?:[#;].*)?', re.I)
_MAX_DEPTH: Final = 256
_MAX_LINKS: Final = 1000


@dataclass(frozen=True, slots=True, order=True)
class Submodule:
    """A commit of another repository. `url` may be relative to this repository's."""

    path: str
    url: str
    commit: bytes


def read_submodules(pack: Pack, file: BinaryIO) -> tuple[Submodule, ...]:
    """The submodules of a commit, by path. Raises `UnsupportedError` for one without address."""
    links = _links(pack, pack.root, {}, 0)
    if not links:
        return ()
    modules = next(
        (e.oid for e in pack.entries(pack.root) if e.name == b".gitmodules" and e.kind == BLOB),
        None,
    )
    urls = {} if modules is None else _urls(read_blob(file, pack.objects[modules]))
    result = []
    for raw, commit in sorted(links.items()):
        path = raw.decode(errors="replace")
        if path not in urls:
            raise UnsupportedError(f"the git submodule {path!r} has no address in .gitmodules")
        result.append(Submodule(path, urls[path], commit))
    return tuple(result)


def submodule_address(repository: str, url: str) -> str:
    """A submodule's address; a relative one counts from its repository's.

    That may have any scheme, or be as scp writes it: `git@host:path`.

    Raises `ValueError` for what is no address.
    """
    if not url.startswith(("./", "../")):
        return url
    scheme, mark, rest = repository.partition("://")
    if not mark:
        host, colon, path = repository.partition(":")
        if not colon or "/" in host:
            raise ValueError(f"{repository!r} is not a URL")
        return f"{host}:" + urljoin(f"/{path.rstrip('/')}/", url).removeprefix("/")
    # The standard library joins the schemes it knows only.
    joined = urljoin(f"https://{rest.rstrip('/')}/", url)
    return scheme + joined.removeprefix("https")


def _links(
    pack: Pack, tree: bytes, known: dict[bytes, dict[bytes, bytes]], depth: int
) -> dict[bytes, bytes]:
    """Path below `tree` to commit; each tree is read once, wherever it occurs."""
    if tree in known:
        return known[tree]
    if depth > _MAX_DEPTH:
        raise UnsupportedError("a git commit has folders nested too deeply")
    links = {}
    for entry in pack.entries(tree):
        if entry.is_submodule:
            links[entry.name] = entry.oid
        elif entry.kind == TREE:
            for path, commit in _links(pack, entry.oid, known, depth + 1).items():
                links[entry.name + b"/" + path] = commit
        if len(links) > _MAX_LINKS:
            raise UnsupportedError(f"a git commit has more than {_MAX_LINKS} submodules")
    known[tree] = links
    return links


def _urls(config: bytes) -> dict[str, str]:
    """Path to address of every `[submodule …]` section."""
    urls: dict[str, str] = {}
    section: dict[str, str] = {}
    for raw in config.decode(errors="replace").splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = {}
            inside = _SECTION.match(line) is not None
            line = line[line.find("]") + 1 :].strip() if inside else ""
        match = _VALUE.fullmatch(line)
        if match:
            section[match[1].lower()] = match[2] if match[2] is not None else match[3]
            if {"path", "url"} <= section.keys():
                urls[section["path"]] = section["url"]
    return urls
