"""What several commands take: each option once, with its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    ),
]
AllTargets = Annotated[bool, typer.Option("--all-targets", help="Take every platform's files.")]
NoDev = Annotated[bool, typer.Option("--no-dev", help="Leave development dependencies out.")]
Group = Annotated[
    list[str] | None,
    typer.Option("--group", help="Take this dependency group or extra (repeatable)."),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[@VERSION]",
        help="Leave this package out: nobody installs it, or it cannot be had (repeatable).",
    ),
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
Replace = Annotated[
    bool, typer.Option("--replace", help="Take the place of a bundle of other lockfiles there.")
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
Json = Annotated[bool, typer.Option("--json", help="Write the answer as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings and errors.")]
