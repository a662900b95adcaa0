"""The documentation's pages: what they tell the reader to type, and a terminal to type it in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli import CHECKOUT, Cli, Done
from tests.real.clients import Machine, miss

PAGES = ("README.md", *sorted(f"docs/{page.name}" for page in (CHECKOUT / "docs").glob("*.md")))

_FENCE = re.compile(r" *(`{3,}|~{3,})(\S*)")
_HEADING = re.compile(r"#+ (.*)")
_COMMENT = re.compile(r"<!-- (.*) -->")
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)


# -- what is on a page ---------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A fenced block. section: the heading above it. mark: the comment on the line before it."""

    page: str
    section: str
    line: int
    language: str
    mark: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Page:
    """A page, taken apart. prose: all that is outside of blocks."""

    name: str
    sections: tuple[str, ...]
    blocks: tuple[Block, ...]
    prose: str

    @classmethod
    def read(cls, name: str) -> Page:
        """Take a page of the checkout apart."""
        return cls.parse(name, (CHECKOUT / name).read_text(encoding="utf-8"))

    @classmethod
    def parse(cls, name: str, text: str) -> Page:
        """Take a text apart. Refused: a block without an end, and code outside of blocks."""
        sections = [""]
        blocks: list[Block] = []
        prose: list[str] = []
        lines = iter(enumerate(text.splitlines(), 1))
        for number, line in lines:
            fence = _FENCE.match(line)
            if fence is None:
                indented = line.startswith(("    ", "\t")) and prose and not prose[-1].strip()
                assert "```" not in line and not indented, f"{name}:{number}: hidden code"
                heading = _HEADING.match(line)
                sections += [heading[1]] if heading else []
                prose.append(line)
                continue
            mark = _COMMENT.fullmatch(prose[-1].strip()) if prose else None
            content = "".join(
                f"{inside}\n" for inside in _inside(lines, fence[1], f"{name}:{number}")
            )
            blocks.append(
                Block(name, sections[-1], number, fence[2], mark[1] if mark else "", content)
            )
        return cls(name, tuple(sections[1:]), tuple(blocks), "\n".join(prose))

    def spans(self) -> list[str]:
        """The inline code of the prose, each on one line."""
        return [" ".join(match[2].split()) for match in _SPAN.finditer(self.prose)]


def _inside(lines: Iterator[tuple[int, str]], fence: str, where: str) -> Iterator[str]:
    for _, line in lines:
        if line.strip() == fence:
            return
        yield line
    raise AssertionError(f"{where}: the block has no end")


def dockerfile(recipe: str) -> str:
    """The one of docs/containers.md below `<!-- recipe: NAME -->`."""
    blocks = Page.read("docs/containers.md").blocks
    (text,) = (block.text for block in blocks if block.mark == f"recipe: {recipe}")
    return text


# -- where it is typed ---------------------------------------------------------------------


@dataclass(frozen=True)
class Kit:
    """What a client or a service adds to a terminal.

    path: folders of programs. env: variables. words: what the pages write, and what it is here.
    online: programs that have a network, and the shell words that each is. project: made for it,
    where the repository has none.
    """

    path: Sequence[Path] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    online: Mapping[str, str] = field(default_factory=dict)
    project: Path | None = None


_VENDORPACK = """\
#!/bin/sh
export PYTHONPATH='{checkout}' PYTHONDONTWRITEBYTECODE=1
case $1 in
    pack | fleet | download | extras | push | pull | store)
        exec {online} '{python}' -m vendorpack "$@" ;;
esac
exec '{python}' -m vendorpack "$@"
"""
_OPT = """\
mount -t tmpfs none "$1" && mkdir "$1/upper" "$1/work" &&
    mount -t overlay none -o "lowerdir=/opt,upperdir=$1/upper,workdir=$1/work" /opt &&
    mount -t tmpfs none /mnt || exit 125
exec sh -e "$2"
"""
"""What is written below /opt and /mnt is seen in this terminal only, and gone with it."""


@dataclass(frozen=True)
class Terminal:
    """A shell on a machine without a network.

    Only those commands of vendorpack that must ask somebody, and what a kit says, have the network
    of the tests themselves.
    """

    machine: Machine
    cli: Cli
    kits: Sequence[Kit] = ()

    def run(self, script: str, cwd: Path) -> Done:
        """Run by `sh -e`; standard error is part of `out`."""
        values = {"checkout": CHECKOUT, "python": sys.executable, "online": _nsenter()}
        self._program("vendorpack", _VENDORPACK.format_map(values))
        for kit in self.kits:
            for name, command in kit.online.items():
                self._program(name, f'#!/bin/sh\nexec {_nsenter()} {command} "$@"\n')
            for word, meaning in kit.words.items():
                script = script.replace(word, meaning)
        (self.machine.folder / "script").write_text(script)
        (self.machine.folder / "opt").mkdir(exist_ok=True)
        done = subprocess.run(
            ["unshare", "-n", "-m", "sh", "-c", _OPT, "sh", "../opt", "../script"],
            cwd=cwd,
            env=self._env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        if done.returncode == 125 or "unshare: " in done.stdout:
            miss(f"no network can be cut off, or nothing mounted, here:\n{done.stdout}")
        return Done(done.returncode, done.stdout, "")

    def _env(self) -> dict[str, str]:
        paths = [self.machine.folder / "bin", *(path for kit in self.kits for path in kit.path)]
        kept = {n: v for n, v in self.cli.env().items() if n.startswith(("SSL_", "VENDORPACK_"))}
        env = Machine(self.machine.folder, paths).env(kept)
        for kit in self.kits:
            env |= kit.env
        return env

    def _program(self, name: str, text: str) -> None:
        path = self.machine.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)


def _nsenter() -> str:
    return f"nsenter --net=/proc/{os.getpid()}/ns/net"
