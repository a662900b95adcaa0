"""The command line: one thin function a command.

Nothing heavy is imported here, nor any room: `key` runs in every CI job and `--help` under
every finger. What a command needs it imports in its own body.
"""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from vendorpack import __version__
from vendorpack.console import Console
from vendorpack.errors import StoreError, UsageError, VendorpackError
from vendorpack.options import (
    ROOM_HELP,
    ROOM_OPTIONS,
    AllowHost,
    AllowMissing,
    AllowWeak,
    AllTargets,
    BundleFile,
    BundleOrFolder,
    ExpectKey,
    ForLockfile,
    FormatName,
    GitConfig,
    Group,
    Jobs,
    Json,
    Level,
    NoDev,
    Paths,
    Prefix,
    Quiet,
    Recursive,
    StoreDir,
    Target,
    TeamStore,
    checked_output,
    key_of_this_folder,
    policy_of,
    selected,
    this_host,
)

DEFAULT_OUTPUT = Path("deps.tar.zst")

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Download, verify and pack every dependency that a lockfile names into one "
    "deterministic bundle, which unpacks into the package managers' own caches.",
)
store_app = typer.Typer(
    no_args_is_help=True, help="The local store of verified artifacts.", rich_markup_mode=None
)
app.add_typer(store_app, name="store")

Command = Callable[..., None]


def guarded(command: Command) -> Command:
    """Turn errors into messages and exit codes; nothing else may reach the user."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        as_json = bool(kwargs.get("as_json"))
        console = Console(as_json=as_json)
        try:
            command(*args, **kwargs)
        except VendorpackError as error:
            console.fail(error)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            console.say("interrupted; what was verified is kept in the store")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            # Whoever read our output is gone. Python would complain once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(141) from None
        except OSError as error:
            where = str(error.filename) if error.filename else None
            console.fail(StoreError(error.strerror or str(error), where=where))
            raise typer.Exit(StoreError.exit_code) from None
        except (RecursionError, MemoryError) as error:
            console.fail(VendorpackError(f"the input is too large or too deep: {error}"))
            raise typer.Exit(1) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if "VENDORPACK_DEBUG" in os.environ:
                traceback.print_exc()
            console.fail(
                VendorpackError(
                    f"a defect in vendorpack: {type(error).__name__}: {error}",
                    fix="Please report it, with the output of VENDORPACK_DEBUG=1.",
                )
            )
            raise typer.Exit(1) from None

    return run


@app.callback(invoke_without_command=True)
def options_of_all(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """What comes before a command."""
    if version:
        typer.echo(f"vendorpack {__version__}")
        raise typer.Exit


@app.command(context_settings=ROOM_OPTIONS, epilog=ROOM_HELP)
@guarded
def pack(
    context: typer.Context,
    paths: Paths = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The bundle: .tar.zst, or .tar uncompressed (default: deps.tar.zst).",
        ),
    ] = None,
    oci: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE.tar",
            help="Write an OCI image layout whose only layer is the bundle; alone, no other file.",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="REGISTRY/REPO",
            help="Pull the bundle from there if it has one with this key.",
        ),
    ] = None,
    push_too: Annotated[
        bool, typer.Option("--push", help="Push it to --from if that did not have it.")
    ] = False,
    target: Target = None,
    all_targets: AllTargets = False,
    no_dev: NoDev = False,
    group: Group = None,
    recursive: Recursive = False,
    format_name: FormatName = None,
    allow_host: AllowHost = None,
    allow_missing_hash: AllowMissing = None,
    allow_weak_hash: AllowWeak = None,
    git_config: GitConfig = False,
    jobs: Jobs = 32,
    level: Level = 3,
    store_dir: StoreDir = None,
    team_store: TeamStore = None,
    reuse: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE", help="Take unchanged artifacts from this older bundle, verified."
        ),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE|DIR", help="Write a delta: only the files that this bundle lacks."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be downloaded.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Download and verify all that lockfiles pin, into one bundle."""
    from vendorpack.commands import packing  # noqa: PLC0415

    if output is not None:
        checked_output(output)
    console = Console(quiet=quiet, as_json=as_json)
    found, options = selected(
        context, paths, target, all_targets, no_dev, group, recursive, format_name
    )
    request = packing.Request(
        found=found,
        options=options,
        policy=policy_of(allow_host, allow_missing_hash, allow_weak_hash),
        store_dir=store_dir,
        jobs=jobs,
        host=this_host(),
        git_config=git_config,
        reuse=reuse,
        team_store=team_store,
        base=base,
    )
    if dry_run:
        packing.plan(request, console)
    elif base is not None and (oci is not None or source is not None or push_too):
        raise UsageError("--base makes a delta, which is no image: leave --oci and --from out")
    elif oci is None and source is None and not push_too:
        packing.pack(request, console, output or DEFAULT_OUTPUT, level)
    else:
        from vendorpack.commands import registry  # noqa: PLC0415

        registry.pack(request, console, registry.Wanted(output, oci, source, push_too, level))


@app.command()
@guarded
def push(
    bundle: BundleFile,
    target: Annotated[
        str,
        typer.Argument(metavar="REGISTRY/REPO[:TAG]", help="Where to (default tag: the key)."),
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Move a tag that another image has.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Put a bundle into a container registry, as an image.

    The bundle is the image's only layer, byte for byte.
    """
    from vendorpack.commands import registry  # noqa: PLC0415

    console = Console(quiet=quiet, as_json=as_json)
    registry.push(bundle, target, replace, console, this_host())


@app.command()
@guarded
def pull(
    source: Annotated[
        str,
        typer.Argument(
            metavar="REGISTRY/REPO[:TAG|@DIGEST]",
            help="Where from (default tag: the key of the lockfiles here).",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The bundle (default: deps.tar.zst).")
    ] = None,
    store_dir: StoreDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Get a bundle from a container registry, and verify it.

    Where the tag is a key, the bundle must have it.
    """
    from vendorpack.commands import registry  # noqa: PLC0415

    console = Console(quiet=quiet, as_json=as_json)
    if output is not None:
        checked_output(output)
    registry.pull(source, output, key_of_this_folder, store_dir, console, this_host())


@app.command()
@guarded
def unpack(
    bundle: BundleFile,
    prefix: Prefix = None,
    base: Annotated[
        Path | None,
        typer.Option(metavar="BUNDLE", help="For a delta: the bundle that has the rest."),
    ] = None,
    expect_key: ExpectKey = None,
    lockfile: ForLockfile = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Processes.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Verify a bundle and put its files where clients find them."""
    from vendorpack.commands import using  # noqa: PLC0415

    expected = using.Expected(expect_key, tuple(lockfile or ()))
    console = Console(quiet=quiet, as_json=as_json)
    using.unpack(bundle, prefix, base, expected, jobs, console, this_host())


@app.command(context_settings=ROOM_OPTIONS, epilog=ROOM_HELP)
@guarded
def download(
    context: typer.Context,
    paths: Paths = None,
    prefix: Prefix = None,
    target: Target = None,
    all_targets: AllTargets = False,
    no_dev: NoDev = False,
    group: Group = None,
    recursive: Recursive = False,
    format_name: FormatName = None,
    allow_host: AllowHost = None,
    allow_missing_hash: AllowMissing = None,
    allow_weak_hash: AllowWeak = None,
    git_config: GitConfig = False,
    jobs: Jobs = 32,
    store_dir: StoreDir = None,
    team_store: TeamStore = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Download straight into the clients' caches, with no bundle."""
    from vendorpack.commands import packing  # noqa: PLC0415

    found, options = selected(
        context, paths, target, all_targets, no_dev, group, recursive, format_name
    )
    request = packing.Request(
        found=found,
        options=options,
        policy=policy_of(allow_host, allow_missing_hash, allow_weak_hash),
        store_dir=store_dir,
        jobs=jobs,
        host=this_host(),
        git_config=git_config,
        team_store=team_store,
    )
    packing.download(request, Console(quiet=quiet, as_json=as_json), prefix)


@app.command(context_settings=ROOM_OPTIONS, epilog=ROOM_HELP)
@guarded
def key(
    context: typer.Context,
    paths: Paths = None,
    target: Target = None,
    all_targets: AllTargets = False,
    no_dev: NoDev = False,
    group: Group = None,
    recursive: Recursive = False,
    format_name: FormatName = None,
    as_json: Json = False,
) -> None:
    """Print the lockfile hash that names the bundle. Needs no network."""
    from vendorpack.key import compute_key  # noqa: PLC0415

    found, options = selected(
        context, paths, target, all_targets, no_dev, group, recursive, format_name
    )
    keyed = compute_key(found, options)
    console = Console(as_json=as_json)
    if as_json:
        lockfiles = [{"path": p.path, "format": p.format, "sha256": p.sha256} for p in keyed.pinned]
        console.answer_json(
            {
                "key": keyed.key,
                "lockfiles": lockfiles,
                "layouts": dict(keyed.layouts),
                "options": dict(keyed.options),
            }
        )
    else:
        console.answer(keyed.key)


@app.command()
@guarded
def verify(
    bundle: BundleOrFolder,
    expect_key: ExpectKey = None,
    lockfile: ForLockfile = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check every byte of a bundle, or of an unpacked one."""
    from vendorpack.commands import using  # noqa: PLC0415

    expected = using.Expected(expect_key, tuple(lockfile or ()))
    using.verify(bundle, expected, Console(quiet=quiet, as_json=as_json))


@app.command("formats")
@guarded
def formats(
    name: Annotated[str | None, typer.Argument(metavar="[FORMAT]", help="Only this one.")] = None,
    as_json: Json = False,
) -> None:
    """List the formats, or the options that one of them has."""
    from vendorpack.commands.formats import list_formats, show_format  # noqa: PLC0415

    console = Console(as_json=as_json)
    if name is None:
        list_formats(console)
    else:
        show_format(name, console)


@app.command()
@guarded
def diff(old: BundleOrFolder, new: BundleOrFolder, as_json: Json = False) -> None:
    """List packages added, removed or changed between two bundles."""
    from vendorpack.commands import delta  # noqa: PLC0415

    delta.diff(old, new, Console(as_json=as_json))


@app.command()
@guarded
def show(
    bundle: BundleOrFolder,
    files: Annotated[bool, typer.Option("--files", help="List the files as well.")] = False,
    as_json: Json = False,
) -> None:
    """List what is in a bundle."""
    from vendorpack.commands import using  # noqa: PLC0415

    using.show(bundle, files, Console(as_json=as_json))


@app.command()
@guarded
def env(
    bundle: BundleOrFolder,
    shell: Annotated[
        str, typer.Option(help="sh, fish, pwsh, dockerfile, github, gitlab or json.")
    ] = "sh",
    as_json: Json = False,
) -> None:
    """Print the variables that the ordinary install command needs.

    For a folder: to use it where it lies. For a bundle: after `vendorpack unpack` has put it
    into the clients' own caches.
    """
    from vendorpack.commands import using  # noqa: PLC0415

    using.env(bundle, "json" if as_json else shell, Console(as_json=as_json), this_host())


@app.command(context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})
@guarded
def run(
    bundle: BundleFile,
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="What to run.")],
    expect_key: ExpectKey = None,
    lockfile: ForLockfile = None,
    quiet: Quiet = False,
) -> None:
    """Unpack a bundle to a cache and run a command with it."""
    from vendorpack.commands import using  # noqa: PLC0415

    expected = using.Expected(expect_key, tuple(lockfile or ()))
    using.run(bundle, command, expected, Console(quiet=quiet), this_host())


@store_app.command("path")
@guarded
def store_path(store_dir: StoreDir = None) -> None:
    """Print where the store is."""
    from vendorpack.commands import storing  # noqa: PLC0415

    Console().answer(str(storing.store_folder(store_dir, this_host())))


@store_app.command("size")
@guarded
def store_size(store_dir: StoreDir = None, as_json: Json = False) -> None:
    """Print how much the store holds."""
    from vendorpack.commands import storing  # noqa: PLC0415

    storing.store_size(storing.store_folder(store_dir, this_host()), Console(as_json=as_json))


@store_app.command("prune")
@guarded
def store_prune(
    unused_days: Annotated[
        int, typer.Option(min=0, help="Remove what was not used for so many days; 0 is all.")
    ] = 30,
    store_dir: StoreDir = None,
    as_json: Json = False,
) -> None:
    """Remove what was not used for a while."""
    from vendorpack.commands import storing  # noqa: PLC0415

    folder = storing.store_folder(store_dir, this_host())
    storing.store_prune(folder, unused_days, Console(as_json=as_json))


@store_app.command("get", context_settings=ROOM_OPTIONS, epilog=ROOM_HELP)
@guarded
def store_get(
    context: typer.Context,
    paths: Paths = None,
    team_store: TeamStore = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The bundle (default: deps.tar.zst).")
    ] = DEFAULT_OUTPUT,
    target: Target = None,
    all_targets: AllTargets = False,
    no_dev: NoDev = False,
    group: Group = None,
    recursive: Recursive = False,
    format_name: FormatName = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Get the bundle for these lockfiles from a team's store.

    It is verified, and its key too.
    """
    from vendorpack.commands import sharing  # noqa: PLC0415
    from vendorpack.key import compute_key  # noqa: PLC0415

    if team_store is None:
        raise UsageError("store get needs --store URL")
    found, options = selected(
        context, paths, target, all_targets, no_dev, group, recursive, format_name
    )
    key = compute_key(found, options).key
    sharing.store_get(
        team_store, key, checked_output(output), Console(quiet=quiet, as_json=as_json)
    )
