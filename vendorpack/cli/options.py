"""What several commands take: each option once, with its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vendorpack.cli import completion
from vendorpack.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class InFile:
    """Marks an option that a project's file may have too (`vendorpack.settings`).

    of_lockfile: whether it decides the content, so that it may differ by lockfile. instead_of: the
    option that it rules out. unless: options that, where they are typed, it is not wanted beside.
    """

    of_lockfile: bool = False
    instead_of: str = ""
    unless: tuple[str, ...] = ()


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
BundleFile = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="A bundle file, or - for standard input.")
]
BundleOrFolder = Annotated[
    Path,
    typer.Argument(
        metavar="BUNDLE|DIR",
        help="A bundle (- for standard input), or the folder of an unpacked one.",
    ),
]
Target = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        help="Choose for this platform, such as linux-x86_64-gnu or linux-aarch64-musl-py3.12 "
        "(repeatable; default: this machine).",
        autocompletion=completion.targets,
    ),
    InFile(of_lockfile=True, instead_of="all-targets"),
]
AllTargets = Annotated[
    bool,
    typer.Option("--all-targets", help="Take every platform's files."),
    InFile(of_lockfile=True, instead_of="target"),
]
NoDev = Annotated[
    bool,
    typer.Option("--no-dev/--dev", help="Leave development dependencies out."),
    InFile(of_lockfile=True),
]
Group = Annotated[
    list[str] | None,
    typer.Option("--group", help="Take this dependency group or extra (repeatable)."),
    InFile(of_lockfile=True),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[@VERSION]",
        help="Leave this package out: nobody installs it, or it cannot be had (repeatable).",
    ),
    InFile(of_lockfile=True),
]
Recursive = Annotated[
    bool,
    typer.Option(
        "--recursive/--no-recursive", "-r", help="Look for lockfiles in all folders below."
    ),
    InFile(),
]
FormatName = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="What a lockfile is, where its name does not say.",
        autocompletion=completion.formats,
    ),
    InFile(),
]
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=1, max=256, help="Connections, and threads to pack with.")
]
Level = Annotated[int, typer.Option(min=1, max=19, help="zstd level."), InFile()]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(help="Allow downloads from this host (http://HOST to allow it without TLS)."),
    InFile(),
]
AllowMissing = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Accept this package though nothing pins its bytes."),
    InFile(),
]
AllowWeak = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Accept this package with a sha1 or md5 hash only."),
    InFile(),
]
AllowLicense = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ID",
        help="Refuse what is under no licence named so (SPDX ids, patterns; NONE: what has none).",
    ),
]
DenyLicense = Annotated[
    list[str] | None,
    typer.Option(metavar="ID", help="Refuse what can only be had under this licence (repeatable)."),
]
NoProjectConfig = Annotated[
    bool,
    typer.Option(
        "--no-project-config",
        help="Let the projects' own files name no registries and hosts, read no variables, and "
        "set no options: for lockfiles of strangers.",
    ),
]
MaxSize = Annotated[
    str,
    typer.Option(
        metavar="SIZE",
        help="The most that is downloaded of an artifact whose lockfile has no size: 500M, 2G …",
    ),
    InFile(),
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
    InFile(),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="The bundle: .tar.zst, or .tar uncompressed; - for standard output; {key} and {name} "
        "are filled in (default: deps.tar.zst).",
    ),
    InFile(unless=("oci",)),
]
Source = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="REGISTRY/REPO",
        help="Pull the bundle from there if it has one with this key.",
    ),
    InFile(unless=("base",)),
]
IfAbsent = Annotated[
    bool,
    typer.Option("--if-absent", help="Only what the --store, or --from, has no bundle of yet."),
]
Prefix = Annotated[
    Path | None,
    typer.Option(help="Put the tree here (default: into the clients' own caches)."),
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Take the place of a bundle of other lockfiles there.")
]
Serve = Annotated[
    bool,
    typer.Option("--serve", help="Offer plain files of extras over http on the loopback."),
]
ExpectKey = Annotated[
    str | None, typer.Option(metavar="KEY", help="Refuse a bundle with any other key.")
]
ForLockfile = Annotated[
    list[Path] | None,
    typer.Option(
        "--lockfile",
        help="Refuse a bundle not made for this lockfile, or with other artifacts than it pins "
        "(repeatable).",
    ),
]
AllowUnproven = Annotated[
    bool,
    typer.Option(
        "--allow-unproven",
        help="With --lockfile: take artifacts too that it pins but nothing here can compare.",
    ),
]
Signers = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="VENDORPACK_SIGNERS",
        help="Refuse a bundle that nobody in this file has signed (ssh's allowed_signers).",
    ),
]
Signer = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of the allowed signers, only this one.")
]
SignatureFile = Annotated[
    Path | None,
    typer.Option("--signature", metavar="FILE", help="Default: the bundle's name and .sig."),
]
SignWith = Annotated[
    Path | None,
    typer.Option(
        "--sign",
        metavar="KEY",
        help="Sign the bundle with this ssh key (or the public one of an agent's), as `sign` does.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write the answer as JSON.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Name each artifact as it is taken.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings and errors.")]
