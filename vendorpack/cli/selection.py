"""What goes into a bundle, and how it is fetched: options that stand in several commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vendorpack.cli.options import (
    AllowHost,
    AllowMissing,
    AllowWeak,
    AllTargets,
    Exclude,
    FormatName,
    GitConfig,
    Group,
    Jobs,
    NoDev,
    Paths,
    Recursive,
    StoreDir,
    Target,
    TeamStore,
)
from vendorpack.cli.surroundings import this_host
from vendorpack.errors import UsageError
from vendorpack.model import Options

if TYPE_CHECKING:
    from vendorpack.commands.packing import Request
    from vendorpack.discover import Found


@dataclass(frozen=True, slots=True)
class Selection:
    """The lockfiles, and the options that decide the content beside them."""

    paths: Paths = None
    target: Target = None
    all_targets: AllTargets = False
    no_dev: NoDev = False
    group: Group = None
    exclude: Exclude = None
    recursive: Recursive = False
    format_name: FormatName = None

    def read(self, context: typer.Context | None) -> tuple[tuple[Found, ...], Options]:
        """The lockfiles and the options that the command line names.

        context: the command that has them, to say which of its options a misspelt one may be.
        """
        from vendorpack.discover import discover  # noqa: PLC0415
        from vendorpack.target import parse_target, this_machine  # noqa: PLC0415

        if self.all_targets and self.target:
            raise UsageError("--all-targets and --target exclude each other")
        own = [] if context is None else [name for p in context.command.params for name in p.opts]
        files, extra = split_room_options(self.paths or (), own)
        targets = {parse_target(text) for text in self.target or ()} or {this_machine()}
        options = Options(
            targets=() if self.all_targets else tuple(sorted(targets)),
            dev=not self.no_dev,
            groups=tuple(sorted(set(self.group or ()))),
            exclude=tuple(sorted(set(self.exclude or ()))),
            extra=extra,
        )
        found = discover(
            [Path(file) for file in files] or [Path()],
            recursive=self.recursive,
            host=this_host(),
            format_name=self.format_name,
            **({} if context is None else {"command": context.command_path}),
        )
        return found, options


def key_of_this_folder() -> str:
    """The key that `vendorpack key` prints here."""
    from vendorpack.key import compute_key  # noqa: PLC0415

    return compute_key(*Selection().read(None)).key


@dataclass(frozen=True, slots=True)
class Fetching:
    """Where bytes may come from, what is let in by name, and where they are kept."""

    allow_host: AllowHost = None
    allow_missing_hash: AllowMissing = None
    allow_weak_hash: AllowWeak = None
    git_config: GitConfig = False
    jobs: Jobs = 32
    store_dir: StoreDir = None
    team_store: TeamStore = None

    def request(self, found: Sequence[Found], options: Options) -> Request:
        """What `pack` and `download` are to do with these lockfiles."""
        from vendorpack.commands.packing import Request  # noqa: PLC0415
        from vendorpack.policy import Policy  # noqa: PLC0415

        return Request(
            found=found,
            options=options,
            policy=Policy(
                allow_hosts=frozenset(host.lower().rstrip("/") for host in self.allow_host or ()),
                allow_missing_hash=tuple(self.allow_missing_hash or ()),
                allow_weak_hash=tuple(self.allow_weak_hash or ()),
            ),
            store_dir=self.store_dir,
            jobs=self.jobs,
            host=this_host(),
            git_config=self.git_config,
            team_store=self.team_store,
        )


def split_room_options(
    tokens: Sequence[str], own: Sequence[str] = ()
) -> tuple[list[str], dict[str, str]]:
    """Paths, and the options of single formats among them (`--<format>-<name> VALUE`).

    own: the options that the command has besides.
    """
    from vendorpack.formats import load, rooms  # noqa: PLC0415

    paths: list[str] = []
    extra: dict[str, str] = {}
    rest = iter(tokens)
    for word in rest:
        if not word.startswith("-"):
            paths.append(word)
            continue
        name, equals, value = word.removeprefix("--").partition("=")
        owner = next((r.name for r in rooms() if name.startswith(f"{r.name}-")), None)
        if owner is None or name.removeprefix(f"{owner}-") not in load(owner).options:
            raise UsageError(f"no such option: {word}", fix=_meant(word.partition("=")[0], own))
        if not equals:
            value = next(rest, "")
        if not value:
            raise UsageError(f"option --{name} needs a value")
        extra[name] = value
    return paths, extra


def _meant(word: str, own: Sequence[str]) -> str:
    """What to do about an option that there is not."""
    import difflib  # noqa: PLC0415

    from vendorpack.formats import load, rooms  # noqa: PLC0415

    known = [f"--{room.name}-{name}" for room in rooms() for name in load(room.name).options]
    near = difflib.get_close_matches(word, [*own, *known])
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return "A file of that name is written ./-name."
