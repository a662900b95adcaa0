"""What goes into a bundle, and how it is fetched: options that stand in several commands."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vendorpack.cli.completion import RoomCommand
from vendorpack.cli.groups import grouped
from vendorpack.cli.guard import guarded
from vendorpack.cli.options import (
    ROOM_HELP,
    ROOM_OPTIONS,
    AllowHost,
    AllowLicense,
    AllowMissing,
    AllowUnproven,
    AllowWeak,
    AllTargets,
    DenyLicense,
    Exclude,
    ExpectKey,
    ForLockfile,
    FormatName,
    GitConfig,
    Group,
    Jobs,
    MaxSize,
    NoDev,
    NoProjectConfig,
    Paths,
    Recursive,
    SignatureFile,
    Signer,
    Signers,
    StoreDir,
    TeamStore,
)
from vendorpack.cli.options import Target as Targets
from vendorpack.cli.project_file import configured, located, of_lockfile, room_options, table, typed
from vendorpack.cli.surroundings import this_host
from vendorpack.dataclass import dataclass
from vendorpack.errors import Faults, UsageError, kept_in
from vendorpack.model import Options, Target
from vendorpack.settings import Value
from vendorpack.target import parse_target, this_machine

if TYPE_CHECKING:
    from vendorpack.commands.expected import Expected
    from vendorpack.commands.packing import Request
    from vendorpack.discover import Found
    from vendorpack.license_rules import LicenseRules

_SIZE = re.compile(r"([0-9]{1,12})([KMGT]?)I?B?")


def lockfile_command(
    group: typer.Typer, name: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Hang a command that has a `Selection` on a group; its name is the function's by default.

    It takes single formats' options, and what the project's file has.
    """
    hang = group.command(name, cls=RoomCommand, context_settings=ROOM_OPTIONS, epilog=ROOM_HELP)
    return lambda command: hang(guarded(configured(grouped(command))))


@dataclass(frozen=True, slots=True)
class Selection:
    """The lockfiles, and the options that decide the content beside them."""

    paths: Paths = None
    target: Targets = None
    all_targets: AllTargets = False
    no_dev: NoDev = False
    group: Group = None
    exclude: Exclude = None
    recursive: Recursive = False
    format_name: FormatName = None
    no_project_config: NoProjectConfig = False

    def read(self, context: typer.Context, faults: Faults | None = None) -> tuple[Found, ...]:
        """The lockfiles that are named, each with what is asked of it here and in its project.

        context: the command that has these options. faults: as `discover` has them.
        """
        own = [name for param in context.command.params for name in param.opts]
        files, extra = split_room_options(self.paths or (), own)
        return select(
            [Path(file) for file in files],
            self._asked(context),
            extra,
            recursive=self.recursive,
            format_name=self.format_name,
            trusted=not self.no_project_config,
            command=context.command_path,
            faults=faults,
        )

    def _asked(self, context: typer.Context) -> dict[str, Value]:
        """What was typed of what may differ by lockfile, by its name in a project's file."""
        given: dict[str, Value] = {
            "target": self.target or [],
            "all-targets": self.all_targets,
            "no-dev": self.no_dev,
            "group": self.group or [],
            "exclude": self.exclude or [],
        }
        return {n: value for n, value in given.items() if typed(context, n.replace("-", "_"))}


def select(
    paths: Sequence[Path],
    asked: Mapping[str, Value],
    extra: Mapping[str, str],
    *,
    recursive: bool,
    format_name: str | None,
    trusted: bool,
    command: str = "vendorpack key",
    faults: Faults | None = None,
) -> tuple[Found, ...]:
    """The lockfiles at these paths (default: here), each with its options.

    asked: what wins over the projects' files, by its name there. extra: single formats' options.
    For the rest see `discover`, which is what raises, and `UsageError` for an option's value.
    """
    from vendorpack.discover import discover  # noqa: PLC0415

    if asked.get("all-targets") and asked.get("target"):
        raise UsageError("--all-targets and --target exclude each other")
    parsed_targets(asked.get("target"))  # before anything is looked for
    found = discover(
        paths or [Path()],
        recursive=recursive,
        host=this_host(),
        format_name=format_name,
        trusted=trusted,
        command=command,
        faults=faults,
    )
    chosen = []
    for one in found:
        with kept_in(faults):
            chosen.append(replace(one, options=_options(one, asked, extra)))
    return tuple(chosen)


def _options(one: Found, asked: Mapping[str, Value], extra: Mapping[str, str]) -> Options:
    said = of_lockfile(one.project.path) if one.project.trusted else None
    kept = {} if said is None else dict(said[2])
    for name in asked:
        kept.pop(table()[name].instead_of, None)
    try:
        targets = parsed_targets(kept.get("target"))
    except UsageError as error:
        assert said is not None
        raise located(error, said[0].where("target", said[1])) from None
    if "target" in asked:
        targets = parsed_targets(asked["target"])
    values = {**kept, **asked}
    own = {name: str(kept[name]) for name in room_options(kept)}
    return Options(
        targets=() if values.get("all-targets") else tuple(sorted(targets or {this_machine()})),
        dev=not values.get("no-dev"),
        groups=words_of(values.get("group")),
        exclude=words_of(values.get("exclude")),
        extra={**own, **extra},
    )


def parsed_targets(value: Value | None) -> set[Target]:
    """Raises `UsageError` for what is none."""
    return {parse_target(text) for text in words_of(value)}


def words_of(value: Value | None) -> tuple[str, ...]:
    """A list's words, each once, sorted."""
    return tuple(sorted(set(value))) if isinstance(value, list) else ()


@dataclass(frozen=True, slots=True)
class Fetching:
    """Where bytes may come from, what is let in by name, and where they are kept."""

    allow_host: AllowHost = None
    allow_missing_hash: AllowMissing = None
    allow_weak_hash: AllowWeak = None
    git_config: GitConfig = False
    max_size: MaxSize = "16G"
    jobs: Jobs = 32
    store_dir: StoreDir = None
    team_store: TeamStore = None

    def request(self, found: Sequence[Found]) -> Request:
        """What `pack` and `download` are to do with these lockfiles."""
        from vendorpack.commands.packing import Request  # noqa: PLC0415
        from vendorpack.policy import Policy  # noqa: PLC0415

        return Request(
            found=found,
            policy=Policy(
                allow_hosts=frozenset(host.lower().rstrip("/") for host in self.allow_host or ()),
                allow_missing_hash=tuple(self.allow_missing_hash or ()),
                allow_weak_hash=tuple(self.allow_weak_hash or ()),
            ),
            store_dir=self.store_dir,
            jobs=self.jobs,
            host=this_host(),
            git_config=self.git_config,
            max_size=parse_size(self.max_size),
            team_store=self.team_store,
        )


@dataclass(frozen=True, slots=True)
class Expecting:
    """What a bundle must have been made for, and by whom."""

    expect_key: ExpectKey = None
    lockfile: ForLockfile = None
    allow_unproven: AllowUnproven = False
    signers: Signers = None
    signer: Signer = None
    signature: SignatureFile = None

    def expected(self) -> Expected:
        """The same, as commands take it."""
        from vendorpack.commands.expected import Expected  # noqa: PLC0415

        return Expected(
            self.expect_key,
            tuple(self.lockfile or ()),
            self.allow_unproven,
            self.signers,
            self.signer,
            self.signature,
        )


@dataclass(frozen=True, slots=True)
class Licensing:
    """Which licences are let in."""

    allow_license: AllowLicense = None
    deny_license: DenyLicense = None

    def rules(self) -> LicenseRules:
        """The rules. Raises `UsageError`."""
        from vendorpack.license_rules import LicenseRules  # noqa: PLC0415

        return LicenseRules.of(self.allow_license or (), self.deny_license or ())


def parse_size(text: str) -> int:
    """Bytes of `1000`, `500M`, `2G` (powers of 1,024). Raises `UsageError`."""
    match = _SIZE.fullmatch(text.upper())
    if match is None or not int(match[1]):
        raise UsageError(f"--max-size is not a size: {text!r}", fix="Write it as 500M or 2G.")
    return int(match[1]) << 10 * " KMGT".index(match[2] or " ")


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
        if not word.startswith("-") or word == "-":
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
