"""What several commands take: their options, and what comes of them.

As light as `vendorpack.cli`: what a function needs it imports in its own body.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vendorpack.errors import StoreError, UsageError
from vendorpack.model import Host, Options

if TYPE_CHECKING:
    from vendorpack.discover import Found
    from vendorpack.policy import Policy

# Options that only one format knows (--pnpm-store v10) are not listed here: they come through
# among the paths and are looked up in that format's room.
ROOM_OPTIONS = {"ignore_unknown_options": True}
ROOM_HELP = "A format may have options of its own: `vendorpack formats FORMAT` lists them."

Paths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PATHS]...", help="Lockfiles, or folders to look for them in (default: here)."
    ),
]
BundleFile = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle file.")]
BundleOrFolder = Annotated[
    Path, typer.Argument(metavar="BUNDLE|DIR", help="A bundle, or the folder of an unpacked one.")
]
Target = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        help="Choose for this platform, such as linux-x86_64-gnu or linux-aarch64-musl-py3.12 "
        "(repeatable; default: this machine).",
    ),
]
AllTargets = Annotated[bool, typer.Option("--all-targets", help="Take every platform's files.")]
NoDev = Annotated[bool, typer.Option("--no-dev", help="Leave development dependencies out.")]
Group = Annotated[
    list[str] | None,
    typer.Option("--group", help="Take this dependency group or extra (repeatable)."),
]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="Look for lockfiles in all folders below.")
]
FormatName = Annotated[
    str | None, typer.Option("--format", help="What a lockfile is, where its name does not say.")
]
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=1, max=256, help="Connections, and threads to pack with.")
]
Level = Annotated[int, typer.Option(min=1, max=19, help="zstd level.")]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(help="Allow downloads from this host (http://HOST to allow it without TLS)."),
]
AllowMissing = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Accept this package though nothing pins its bytes."),
]
AllowWeak = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Accept this package with a sha1 or md5 hash only."),
]
GitConfig = Annotated[
    bool,
    typer.Option(
        "--git-config",
        envvar="VENDORPACK_GIT_CONFIG",
        help="Let git read your own configuration: credential helpers, insteadOf, ssh commands.",
    ),
]
StoreDir = Annotated[
    Path | None,
    typer.Option(envvar="VENDORPACK_STORE_DIR", help="The local store (default: user's cache)."),
]
TeamStore = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        envvar="VENDORPACK_TEAM_STORE",
        help="A team's store to take artifacts from and add them to: a folder, file://, s3://, "
        "gs:// or az://.",
    ),
]
Prefix = Annotated[
    Path | None,
    typer.Option(help="Put the tree here (default: into the clients' own caches)."),
]
ExpectKey = Annotated[
    str | None, typer.Option(metavar="KEY", help="Refuse a bundle with any other key.")
]
ForLockfile = Annotated[
    list[Path] | None,
    typer.Option("--lockfile", help="Refuse a bundle not made for this lockfile (repeatable)."),
]
Json = Annotated[bool, typer.Option("--json", help="Write the answer as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings and errors.")]


_OTHER_KINDS = frozenset({".gz", ".tgz", ".bz2", ".xz", ".txz", ".zip", ".7z"})


def this_host() -> Host:
    """This machine's configuration. A machine without a home still packs."""
    try:
        home = Path.home()
    except RuntimeError:
        home = Path("/nonexistent")
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    return Host(dict(os.environ), home, system)


def selected(
    context: typer.Context | None,
    paths: Sequence[str] | None,
    target: Sequence[str] | None,
    all_targets: bool,
    no_dev: bool,
    group: Sequence[str] | None,
    recursive: bool,
    format_name: str | None,
) -> tuple[tuple[Found, ...], Options]:
    """The lockfiles and the options that decide the content.

    context: the command that has them, to say which of its options a misspelt one may be.
    """
    from vendorpack.discover import discover  # noqa: PLC0415
    from vendorpack.target import parse_target, this_machine  # noqa: PLC0415

    if all_targets and target:
        raise UsageError("--all-targets and --target exclude each other")
    own = [] if context is None else [name for p in context.command.params for name in p.opts]
    files, extra = split_room_options(paths or (), own)
    targets = {parse_target(text) for text in target or ()} or {this_machine()}
    options = Options(
        targets=() if all_targets else tuple(sorted(targets)),
        dev=not no_dev,
        groups=tuple(sorted(set(group or ()))),
        extra=extra,
    )
    found = discover(
        [Path(file) for file in files] or [Path()],
        recursive=recursive,
        host=this_host(),
        format_name=format_name,
    )
    return found, options


def key_of_this_folder() -> str:
    """The key that `vendorpack key` prints here."""
    from vendorpack.key import compute_key  # noqa: PLC0415

    found, options = selected(None, None, None, False, False, None, False, None)
    return compute_key(found, options).key


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


def checked_output(path: Path) -> Path:
    """The file, if a bundle can be written to it as far as its name tells.

    To be asked before anything is downloaded. Raises `UsageError`, `StoreError`.
    """
    if path.is_dir():
        fix = f"Name a file: {path / 'deps.tar.zst'}"
        raise UsageError("the output is a folder", where=str(path), fix=fix)
    if path.suffix in _OTHER_KINDS:
        fix = "Name it .tar.zst, or .tar for one without compression."
        raise UsageError(f"a bundle is no {path.suffix}", where=str(path), fix=fix)
    if not path.parent.is_dir():
        fix = f"mkdir -p {path.parent}"
        raise StoreError("the output's folder does not exist", where=str(path), fix=fix)
    return path


def _meant(word: str, own: Sequence[str]) -> str:
    """What to do about an option that there is not."""
    import difflib  # noqa: PLC0415

    from vendorpack.formats import load, rooms  # noqa: PLC0415

    known = [f"--{room.name}-{name}" for room in rooms() for name in load(room.name).options]
    near = difflib.get_close_matches(word, [*own, *known])
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return "A file of that name is written ./-name."


def policy_of(
    hosts: Sequence[str] | None, missing: Sequence[str] | None, weak: Sequence[str] | None
) -> Policy:
    """The policy that the command line asks for."""
    from vendorpack.policy import Policy  # noqa: PLC0415

    return Policy(
        allow_hosts=frozenset(host.lower().rstrip("/") for host in hosts or ()),
        allow_missing_hash=tuple(missing or ()),
        allow_weak_hash=tuple(weak or ()),
    )
