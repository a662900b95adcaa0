"""A client of Python package indexes: the simple API in JSON (PEP 691, 700) or HTML (PEP 503).

A project's page, `<index>/<normalised name>/`, lists every file of every release. What counts:
name, address, hashes, and where given size (PEP 700), required Python, whether it was yanked
(PEP 592) and the hash of its metadata file beside it (PEP 658, 714).

Addresses are handed on without userinfo; whoever configured it turns it into a `Credential`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from typing import Any, Final, TypeVar
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from vendorpack.dataclass import dataclass
from vendorpack.digest import SIZES, Digest, DigestError, Integrity
from vendorpack.errors import FetchError, LockfileError
from vendorpack.formats._shared.text.addresses import parts_of
from vendorpack.formats._shared.text.json_text import decode_utf8, load_json
from vendorpack.redact import redact_url
from vendorpack.room import Answer, Index

T = TypeVar("T")

DEFAULT_INDEX: Final = "https://pypi.org/simple/"
"""PyPI's simple API: what every client asks unless it is configured otherwise."""
DEFAULT_FILES: Final = "https://files.pythonhosted.org/"
"""Where PyPI keeps the files that its simple API lists."""

ACCEPT: Final = (
    "application/vnd.pypi.simple.v1+json, "
    "application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
)
"""Accept header of a project page, as pip sends it."""

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_FILENAME: Final = re.compile(r"(?![.-])[^/\\\x00-\x1f\x7f]{1,255}")
_SEPARATORS: Final = re.compile(r"[-_.]+")
_PLAIN_URL: Final = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]+)?/[A-Za-z0-9._~/%+!-]*")


# -- names and addresses -------------------------------------------------------------------


def check_name(name: str, where: str) -> str:
    """The project name in its normal form (PEP 503). Raises `LockfileError` if it is none."""
    if len(name) > 200 or not _NAME.fullmatch(name):
        raise LockfileError(f"{name[:100]!r} is not a package name", where=where)
    return normalize(name)


def normalize(name: str) -> str:
    """The one form of a project's name: lower case, runs of `-`, `_` and `.` as one dash."""
    return _SEPARATORS.sub("-", name).lower()


def check_filename(filename: str, where: str) -> str:
    """The name itself, if it may be a file's in a flat folder. Raises `LockfileError`."""
    if not _FILENAME.fullmatch(filename):
        raise LockfileError(f"{filename[:100]!r} is not a file name", where=where)
    return filename


def filename_of(url: str) -> str:
    """The file's name at the end of an address, unquoted; may be empty or unfit for a file."""
    return unquote(parts_of(url).path.rpartition("/")[2])


def parse_hash(text: str, where: str, algorithms: Iterable[str] = tuple(SIZES)) -> Digest:
    """`sha256:<hex>`, as lockfiles write it. Raises `LockfileError`."""
    algorithm, _, value = text.partition(":")
    if algorithm not in algorithms:
        raise LockfileError(
            f"{text[:100]!r} is not a hash that counts",
            where=where,
            fix=f"Expected one of {', '.join(algorithms)}, a colon and hex digits.",
        )
    try:
        return Digest.from_hex(algorithm, value)
    except DigestError as error:
        raise LockfileError(str(error), where=where) from None


def purl(name: str, version: str) -> str:
    """`pkg:pypi/name@1.2.3`, as the package URL specification writes it."""
    return f"pkg:pypi/{normalize(name)}@{quote(version, safe='')}"


def page_url(base: str, name: str) -> str:
    """Where an index lists a project."""
    return f"{base.rstrip('/')}/{normalize(name)}/"


def without_userinfo(url: str) -> str:
    """The address without user name and password. Raises `ValueError` if it is none."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


# -- project pages -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IndexFile:
    """One file of a project, as its index lists it.

    url: absolute, without fragment.
    hashes: streamed digests only; may be empty.
    yanked: the reason, possibly empty; None if it was not.
    metadata: whether `<url>.metadata` is there, and its hashes (maybe none); None if not.
    index: base address of the index.
    """

    filename: str
    url: str
    hashes: Integrity
    index: str
    size: int | None = None
    requires_python: str | None = None
    yanked: str | None = None
    metadata: Integrity | None = None


async def project_files(index: Index, base: str, name: str) -> tuple[IndexFile, ...] | None:
    """All files of a project, in the index's order; None if the index does not have it.

    Raises `FetchError` for any other failure, and for an answer that makes no sense.
    """
    return await _listed(index, page_url(base, name), base, name)


async def flat_files(index: Index, address: str) -> tuple[IndexFile, ...] | None:
    """All files that a page for pip's `--find-links` has links to, of whatever project.

    None if there is no such page. Raises as `project_files`.
    """
    return await _listed(index, address, address, address)


async def _listed(index: Index, url: str, base: str, name: str) -> tuple[IndexFile, ...] | None:
    try:
        answer = await index.get(url, accept=ACCEPT)
    except FetchError as error:
        if error.status in (404, 410):
            return None
        raise
    kind = answer.content_type.partition(";")[0].strip().lower()
    try:
        if kind.endswith("json"):
            return _from_json(answer, base)
        if kind in ("text/html", "application/vnd.pypi.simple.v1+html", "application/xhtml+xml"):
            return _from_html(answer, base)
    except (LockfileError, DigestError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _senseless(url, name) from error
    raise _senseless(url, name)


async def pages(
    index: Index, wanted: Iterable[tuple[str, str]]
) -> Mapping[tuple[str, str], tuple[IndexFile, ...] | None]:
    """Many projects' files at once, each (base, name) asked for once; see `project_files`.

    An empty name is asked of a page that lists many projects; see `flat_files`.
    """
    keys = sorted(set(wanted))
    answers = await together(
        project_files(index, base, name) if name else flat_files(index, base) for base, name in keys
    )
    return dict(zip(keys, answers, strict=True))


async def together(questions: Iterable[Any]) -> list[Any]:
    """`asyncio.gather` that leaves nothing running when one of them fails."""
    import asyncio  # noqa: PLC0415 - dear, and `key` needs none

    tasks = [asyncio.ensure_future(question) for question in questions]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _from_json(answer: Answer, base: str) -> tuple[IndexFile, ...]:
    where = redact_url(answer.url)
    page = load_json(decode_utf8(answer.body, where), where)
    major = str(page["meta"]["api-version"]).partition(".")[0]
    if major != "1":
        raise ValueError(f"api-version {major}")
    return tuple(_json_file(entry, answer.url, base) for entry in page["files"])


def _json_file(entry: Mapping[str, Any], page: str, base: str) -> IndexFile:
    yanked = entry.get("yanked", False)
    metadata = entry.get("core-metadata", entry.get("dist-info-metadata", False))
    size = entry.get("size")
    requires_python = entry.get("requires-python")
    if size is not None and (type(size) is not int or size < 0):
        raise TypeError("size")
    if requires_python is not None and not isinstance(requires_python, str):
        raise TypeError("requires-python")
    return IndexFile(
        filename=check_filename(entry["filename"], page),
        url=_absolute(entry["url"], page),
        hashes=_hashes(entry["hashes"]),
        index=base,
        size=size,
        requires_python=requires_python,
        yanked=(yanked if isinstance(yanked, str) else "") if yanked is not False else None,
        metadata=(_hashes(metadata) if isinstance(metadata, dict) else Integrity())
        if metadata
        else None,
    )


def _from_html(answer: Answer, base: str) -> tuple[IndexFile, ...]:
    page = _Page()
    page.feed(answer.body.decode("utf-8", "replace"))
    page.close()
    start = urljoin(answer.url, page.base) if page.base else answer.url
    return tuple(
        file for attributes in page.anchors if (file := _html_file(attributes, start, base))
    )


class _Page(HTMLParser):
    """Collects `<base href>` and the attributes of every `<a>`."""

    def __init__(self) -> None:
        super().__init__()
        self.base: str | None = None
        self.anchors: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {key: value or "" for key, value in attrs}
        if tag == "a" and "href" in attributes:
            self.anchors.append(attributes)
        elif tag == "base" and self.base is None:
            self.base = attributes.get("href")


def _html_file(attributes: Mapping[str, str], page: str, base: str) -> IndexFile | None:
    url = urljoin(page, attributes["href"])
    if urlsplit(url).scheme not in ("http", "https"):
        return None
    filename = filename_of(url)
    if not _FILENAME.fullmatch(filename):
        return None  # a link to something else: the parent folder, a home page
    metadata = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata"))
    return IndexFile(
        filename=filename,
        url=_absolute(url, page),
        hashes=_fragment_hash(urlsplit(url).fragment),
        index=base,
        requires_python=attributes.get("data-requires-python") or None,
        yanked=attributes.get("data-yanked"),
        metadata=None if metadata in (None, "false") else _fragment_hash(metadata or ""),
    )


def _hashes(table: Any) -> Integrity:
    """A dictionary of algorithm to hex; algorithms we do not know are passed over."""
    digests = [Digest.from_hex(name, text) for name, text in table.items() if name in SIZES]
    return Integrity((*digests,)) if len(digests) < 2 else Integrity.of(digests)


def _fragment_hash(fragment: str) -> Integrity:
    """`sha256=<hex>`, alone or among others parted by `&`."""
    pairs = (part.partition("=") for part in fragment.split("&"))
    return _hashes({name.lower(): value for name, _, value in pairs})


def _absolute(url: str, page: str) -> str:
    """Against the page's address, without userinfo and fragment."""
    if _PLAIN_URL.fullmatch(url):
        return url  # pages list thousands of files: taking each apart would take seconds
    parts = urlsplit(urljoin(page, url))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http address")
    netloc = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, netloc, parts.path, parts.query, ""))


def _senseless(url: str, name: str) -> FetchError:
    return FetchError(
        f"the index's answer for {name} makes no sense",
        where=redact_url(url),
        fix="Check that the configured index is one: its address usually ends in /simple/.",
    )
