"""Requirements files, read as pip reads them: lines, options, and the files they name.

::

    --index-url https://index.example/simple
    -r base.txt
    -c constraints.txt
    idna[extra]==3.7 ; python_version < "4" \\
        --hash=sha256:…
    name @ https://files.example/name-1.0.tar.gz#sha256=…
    git+https://git.example/project.git@<commit>#egg=project

As in pip 23 to 26: `\\` at the end of a line joins it with the next, ` #` begins a comment,
options of a requirement follow it, `-r` and `-c` are relative to the file they stand in.
`${NAME}` is put in from the environment in user names and passwords of addresses, nowhere else:
what a bundle holds must not depend on where it is packed.

Nothing here knows what a requirement means; `vendorpack.formats.pip.artifacts` does.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator
from dataclasses import field
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.python.pip_config import expand_userinfo
from vendorpack.project import Project
from vendorpack.redact import redact_text

MAX_FILES: Final = 200
"""Requirements files that one may lead to."""
MAX_LINE: Final = 256 << 10
"""Characters of a line, joined: a few thousand hashes. To read longer ones takes their square."""

_COMMENT: Final = re.compile(r"(?:^|\s)#.*$")
"""pip's begins with `\\s+`, which takes the square of a long run of spaces."""
_CODING: Final = re.compile(rb"#.*coding[:=]\s*([-\w.]+)")

_LONG_OF: Final = {
    "-i": "--index-url",
    "--pypi-url": "--index-url",
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
    "-f": "--find-links",
    "-C": "--config-settings",
    "--config-setting": "--config-settings",
}
_WITH_VALUE: Final = frozenset(
    {
        "--all-releases",
        "--config-settings",
        "--constraint",
        "--editable",
        "--extra-index-url",
        "--find-links",
        "--global-option",
        "--hash",
        "--index-url",
        "--install-option",
        "--no-binary",
        "--only-binary",
        "--only-final",
        "--requirement",
        "--trusted-host",
        "--uploaded-prior-to",
        "--use-feature",
    }
)
_WHERE_FROM: Final = frozenset({"--index-url", "--extra-index-url"})
_FLAGS: Final = frozenset({"--no-index", "--pre", "--prefer-binary", "--require-hashes"})


@dataclass(frozen=True, slots=True)
class Line:
    """A requirement, as it is written.

    text: without options; for an editable one the path or address.
    hashes: the values of `--hash`.
    where: `path:line`.
    """

    text: str
    hashes: tuple[str, ...]
    where: str
    constraint: bool
    editable: bool = False


@dataclass(slots=True)
class Requirements:
    """A requirements file and all that it names.

    index_url, extra_index_urls: as written, with variables put in; may hold passwords.
    find_links: address or path, relative to the first file's folder, and where it stands.
    no_index: whether no index is asked at all.
    files: relative path to bytes of every file but the first.
    """

    lines: list[Line] = field(default_factory=list)
    index_url: tuple[str, str] | None = field(default=None, repr=False)
    extra_index_urls: list[tuple[str, str]] = field(default_factory=list, repr=False)
    only_binary: set[str] = field(default_factory=set)
    no_binary: set[str] = field(default_factory=set)
    find_links: list[tuple[str, str]] = field(default_factory=list, repr=False)
    no_index: bool = False
    files: dict[str, bytes] = field(default_factory=dict)


def read_requirements(project: Project) -> Requirements:
    """Read the lockfile and every file that it names by `-r` and `-c`.

    Raises `LockfileError` and `UnsupportedError` with `path:line`.
    """
    found = Requirements()
    _Reader(project, found).read(project.lockfile.name, project.lock_bytes(), constraint=False)
    return found


class _Reader:
    def __init__(self, project: Project, found: Requirements) -> None:
        self._project = project
        self._found = found
        self._seen: set[tuple[str, bool]] = set()

    def read(self, name: str, data: bytes, *, constraint: bool) -> None:
        """Take in one file. `name` is relative to the lockfile's folder."""
        if (name, constraint) in self._seen:
            return
        self._seen.add((name, constraint))
        shown = posixpath.normpath(str(self._project.lockfile.parent / name))
        for number, text in logical_lines(decode(data, shown)):
            where = f"{shown}:{number}"
            if len(text) > MAX_LINE:
                raise LockfileError(f"the line has more than {MAX_LINE:,} characters", where=where)
            requirement, options = split_options(text, where)
            self._take(requirement, options, name, where, constraint=constraint)

    def _take(
        self,
        requirement: str,
        options: list[tuple[str, str]],
        name: str,
        where: str,
        *,
        constraint: bool,
    ) -> None:
        hashes = tuple(value for option, value in options if option == "--hash")
        if requirement:
            text = self._with_userinfo(requirement, where)
            self._found.lines.append(Line(text, hashes, where, constraint))
            return
        for option, value in options:
            if option in ("--requirement", "--constraint"):
                self._include(value, name, where, constraint=option == "--constraint")
            elif option == "--editable":
                text = self._with_userinfo(value, where)
                self._found.lines.append(Line(text, hashes, where, constraint, editable=True))
            elif not self._project.trusted and (
                option in _WHERE_FROM or (option == "--find-links" and "://" in value)
            ):
                continue
            elif option == "--index-url":
                self._found.index_url = (self._with_userinfo(value, where), where)
            elif option == "--extra-index-url":
                self._found.extra_index_urls.append((self._with_userinfo(value, where), where))
            elif option == "--find-links":
                self._found.find_links.append((self._place(value, name, where), where))
            elif option == "--no-index":
                self._found.no_index = True
            elif option == "--only-binary":
                _choose(value, self._found.only_binary, self._found.no_binary)
            elif option == "--no-binary":
                _choose(value, self._found.no_binary, self._found.only_binary)

    def _include(self, value: str, name: str, where: str, *, constraint: bool) -> None:
        if "://" in value or posixpath.isabs(value) or re.match(r"[A-Za-z]:[\\/]", value):
            raise UnsupportedError(
                f"the file names another one that does not lie beside it: {redact_text(value)}",
                where=where,
                fix="Put that file beside this one and name it by a relative path.",
            )
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), value))
        data = self._found.files.get(path)
        if data is None:
            data = self._project.read(path)
        if data is None:
            raise LockfileError(f"there is no file {value!r}", where=where)
        if path != self._project.lockfile.name:
            self._found.files[path] = data
        if len(self._found.files) > MAX_FILES:
            raise LockfileError(f"more than {MAX_FILES} files are named", where=where)
        self.read(path, data, constraint=constraint)

    def _place(self, value: str, name: str, where: str) -> str:
        """A page's address, or a path; as in pip one beside the file counts before others."""
        text = self._with_userinfo(value, where)
        if "://" in text:
            return text
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(name), text))
        return beside if self._project.files(beside) else posixpath.normpath(text)

    def _with_userinfo(self, text: str, where: str) -> str:
        return expand_userinfo(text, self._project.variables, where)


def decode(data: bytes, shown: str) -> str:
    """Text of a requirements file: UTF-8, or what a comment in its first two lines says."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:
        coding = next((m for line in data.split(b"\n")[:2] if (m := _CODING.match(line))), None)
        encoding = coding[1].decode("ascii", "replace") if coding else "utf-8-sig"
        if data.startswith(b"\xef\xbb\xbf"):
            encoding = "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LockfileError(f"the file is not {encoding} text", where=f"{shown}:{line}") from None
    except (LookupError, ValueError):
        raise LockfileError(f"the file's encoding {encoding!r} is unknown", where=shown) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise LockfileError("the file has a NUL character in it", where=f"{shown}:{line}")
    return text


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with continuations joined and comments gone, each with its first line's number."""
    start = 0
    parts: list[str] = []
    for number, line in enumerate((*text.splitlines(), ""), 1):
        comment = line.lstrip().startswith("#")
        if not parts:
            start = number
        # A comment line ends a continuation, and its own backslash joins nothing.
        if line.endswith("\\") and not comment:
            parts.append(line.strip("\\"))
            continue
        joined = "".join([*parts, f" {line}" if comment else line])
        parts = []
        comment_at = _COMMENT.search(joined)
        stripped = (joined if comment_at is None else joined[: comment_at.start()]).strip()
        if stripped:
            yield start, stripped


def split_options(text: str, where: str) -> tuple[str, list[tuple[str, str]]]:
    """A line's requirement (may be empty), and its options by their long names.

    Raises `LockfileError` for an option that pip does not know.
    """
    words = text.replace("\t", " ").split(" ")
    first = next((n for n, word in enumerate(words) if word.startswith("-")), len(words))
    try:
        rest = shlex.split(" ".join(words[first:]))
    except ValueError:
        raise LockfileError("a quotation mark is not closed", where=where) from None
    options: list[tuple[str, str]] = []
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if re.match(r"-[A-Za-z].", word):
            name, equals, value = word[:2], "=", word[2:].removeprefix("=")
        name = _LONG_OF.get(name, name)
        if name in _FLAGS and not equals:
            options.append((name, ""))
        elif name in _WITH_VALUE:
            if not equals:
                if not rest:
                    raise LockfileError(f"{name} has no value", where=where)
                value = rest.pop(0)
            options.append((name, value))
        else:
            raise LockfileError(
                f"{redact_text(word)[:100]!r} is not an option of a requirements file",
                where=where,
                fix="Is this a requirements file? Name another format with --format.",
            )
    return " ".join(words[:first]).strip(), options


def is_local(text: str) -> bool:
    """Whether a requirement is a path or a `file:` address."""
    address = text.partition(" @ ")[2].strip() or text
    if address.startswith("file:"):
        return True
    if "://" in address or address != text:
        return False
    bare = text.partition("[")[0].partition(";")[0].strip()
    return (
        bare.startswith((".", "/", "~"))
        or "/" in bare
        or "\\" in bare
        or bare.endswith((".whl", ".zip", ".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tar"))
    )


def local_path(text: str) -> str:
    """The path of a local requirement, without extras and marker."""
    address = text.partition(" @ ")[2].strip() or text
    return address.removeprefix("file:").partition("[")[0].partition(";")[0].strip()


def _choose(value: str, into: set[str], other: set[str]) -> None:
    """`--only-binary`, `--no-binary`: what is said later wins, `:none:` empties."""
    for name in (part.strip() for part in value.split(",")):
        if name == ":none:":
            into.clear()
        elif name == ":all:":
            into.clear()
            other.clear()
            into.add(name)
        elif name:
            normal = re.sub(r"[-_.]+", "-", name).lower()
            into.add(normal)
            other.discard(normal)
