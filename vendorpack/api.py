"""What `import vendorpack` offers: the commands as functions, with plain types and the same errors.

Each is the function that its command is made of. Nothing is printed: what a command would say goes
to the logger `vendorpack`, warnings as warnings. Paths may be strings. Files are written as the
commands write them: whole, or not at all.

Where a function runs an event loop, it does so itself: code that runs in one calls it in a thread.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from vendorpack.bundle.manifest import Manifest
from vendorpack.bundle.reader import Bundle
from vendorpack.bundle.reader import open_bundle as _open_bundle
from vendorpack.changes import Change, changes
from vendorpack.cli.selection import select, split_room_options
from vendorpack.cli.surroundings import checked_output, this_host
from vendorpack.commands import packing, planning, using
from vendorpack.commands.documents import sbom_of
from vendorpack.commands.expected import Expected
from vendorpack.commands.using import Checked
from vendorpack.console import Console, plain
from vendorpack.discover import Found
from vendorpack.errors import VendorpackError
from vendorpack.key import compute_key
from vendorpack.license_rules import ANY_LICENSE, LicenseRules
from vendorpack.model import Target
from vendorpack.policy import Policy
from vendorpack.redact import redact_text
from vendorpack.settings import Value
from vendorpack.target import parse_target

__all__ = [
    "Expected",
    "Policy",
    "Target",
    "VendorpackError",
    "compare_bundles",
    "compute_key",
    "find_lockfiles",
    "make_sbom",
    "open_bundle",
    "pack_bundle",
    "parse_target",
    "plan_bundles",
    "read_manifest",
    "unpack_bundle",
    "verify_bundle",
]

AnyPath: TypeAlias = str | PathLike[str]

_LOG: Final = logging.getLogger("vendorpack")
_STRICT: Final = Policy()
_ANY: Final = Expected()


class _Logged(Console):
    """A console for code that has none."""

    def __init__(self) -> None:
        super().__init__(out=io.StringIO(), err=io.StringIO())

    def say(self, text: str) -> None:
        """A line on how it goes."""
        _LOG.info("%s", plain(redact_text(text)))

    def detail(self, text: str) -> None:
        """A line on each single thing."""
        _LOG.debug("%s", plain(redact_text(text)))

    def warn(self, what: str, where: str = "") -> None:
        """Something to know."""
        _LOG.warning("%s", plain(redact_text(f"{where}: {what}" if where else what)))


def find_lockfiles(
    *paths: AnyPath,
    targets: Iterable[str | Target] | None = None,
    all_targets: bool | None = None,
    dev: bool | None = None,
    groups: Iterable[str] | None = None,
    exclude: Iterable[str] | None = None,
    recursive: bool = False,
    format: str | None = None,
    options: Mapping[str, str] | None = None,
    project_config: bool = True,
) -> tuple[Found, ...]:
    """The lockfiles at these paths (default: the current folder), each with its options.

    What is None is as the project's own file says, else as the commands have it by default:
    for this machine, with development dependencies. options: those of single formats
    (`{"pnpm-store": "v10"}`). project_config: False for lockfiles of strangers
    (`--no-project-config`). Raises `DiscoveryError`, `UsageError`.
    """
    given: dict[str, Value | None] = {
        "target": None if targets is None else [str(target) for target in targets],
        "all-targets": all_targets,
        "no-dev": None if dev is None else not dev,
        "group": None if groups is None else [*groups],
        "exclude": None if exclude is None else [*exclude],
    }
    words = [f"--{name}={value}" for name, value in (options or {}).items()]
    return select(
        [Path(path) for path in paths],
        {name: value for name, value in given.items() if value is not None},
        split_room_options(words)[1],
        recursive=recursive,
        format_name=format,
        trusted=project_config,
    )


def plan_bundles(lockfiles: Sequence[Found]) -> tuple[planning.Planned, ...]:
    """The bundles that there are to make of lockfiles: one a folder, by folder."""
    return tuple(planning.bundles_of(lockfiles))


def pack_bundle(
    lockfiles: Sequence[Found],
    output: AnyPath,
    *,
    policy: Policy = _STRICT,
    licenses: LicenseRules = ANY_LICENSE,
    store: str | None = None,
    store_dir: AnyPath | None = None,
    reuse: AnyPath | None = None,
    level: int = 3,
    jobs: int = 32,
) -> packing.Made:
    """Download and verify all that the lockfiles pin, into one bundle.

    output: `.tar.zst`, or `.tar` uncompressed; nothing is done if it is that bundle already.
    store: the address of a team's store. store_dir: the local store. reuse: an older bundle to
    take artifacts from. level: zstd's. jobs: connections, and threads to pack with.
    Raises any of the errors up to `StoreError`.
    """
    request = packing.Request(
        found=lockfiles,
        policy=policy,
        store_dir=None if store_dir is None else Path(store_dir),
        jobs=jobs,
        host=this_host(),
        reuse=None if reuse is None else Path(reuse),
        team_store=store,
        licenses=licenses,
    )
    return packing.pack(request, _Logged(), checked_output(Path(output)), level)


def open_bundle(path: AnyPath) -> Bundle:
    """A bundle whose manifest was checked; its files are when they are read. To be used in `with`.

    Raises `BundleError`.
    """
    return _open_bundle(Path(path))


def read_manifest(path: AnyPath) -> tuple[Manifest, str]:
    """The manifest of a bundle, or of the folder of an unpacked one, and the bundle's id.

    Raises `BundleError`.
    """
    return using.manifest_of(Path(path))


def verify_bundle(
    path: AnyPath, expected: Expected = _ANY, *, licenses: LicenseRules = ANY_LICENSE
) -> Checked:
    """Check every byte of a bundle, or of an unpacked one.

    Raises `BundleError`, and what `expected` and `licenses` ask for: `KeyMismatchError`,
    `SignatureError`, `IntegrityError`, `UnprovenError`, `LicenseError`.
    """
    return using.check(Path(path), expected, licenses, _Logged(), this_host())


def unpack_bundle(
    path: AnyPath,
    prefix: AnyPath | None = None,
    expected: Expected = _ANY,
    *,
    replace: bool = False,
    base: AnyPath | None = None,
) -> str:
    """Verify a bundle and put its files into a folder, or the clients' own caches; returns its id.

    replace: whether a bundle of other lockfiles may lose its place there. base: for a delta, the
    bundle that has the rest. Raises `TargetError`, and what `verify_bundle` does.
    """
    place = None if prefix is None else Path(prefix)
    rest = None if base is None else Path(base)
    return using.unpack(Path(path), place, replace, rest, expected, None, _Logged(), this_host())


def make_sbom(path: AnyPath, form: Literal["cyclonedx", "spdx"] = "cyclonedx") -> dict[str, Any]:
    """The bill of materials of a bundle, or of an unpacked one, as JSON has it.

    CycloneDX 1.6, or SPDX 2.3. Raises `BundleError`.
    """
    return sbom_of(Path(path), form)


def compare_bundles(old: AnyPath, new: AnyPath) -> tuple[Change, ...]:
    """Packages that came, went or changed between two bundles, or unpacked ones.

    Raises `BundleError`.
    """
    return changes(using.manifest_of(Path(old))[0], using.manifest_of(Path(new))[0])
