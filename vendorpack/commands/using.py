"""unpack, verify, show, env and run: what is done with a bundle."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import Any, Final

from vendorpack import boundary, environment, shells
from vendorpack.bundle.manifest import Delta, Manifest, manifest_id
from vendorpack.bundle.pieces import either, in_bundle, in_folder
from vendorpack.bundle.reader import Bundle, open_bundle
from vendorpack.bundle.table import MANIFEST_PATH
from vendorpack.commands.expected import Expected
from vendorpack.commands.native import (
    describe_merged,
    describe_unpacked,
    merge_of,
    native_place,
    native_roots,
    say_next,
)
from vendorpack.console import Console
from vendorpack.dataclass import dataclass
from vendorpack.errors import BundleError, UsageError
from vendorpack.formats import boundary_of, load
from vendorpack.license_rules import LicenseRules, license_of
from vendorpack.machine import cores
from vendorpack.model import Environment, Json
from vendorpack.progress import Progress, counted, human
from vendorpack.project import Host

_LICENSE: Final = 40
"""Characters of a licence in the table; --json has it whole."""


def unpack(
    path: Path,
    prefix: Path | None,
    replace: bool,
    base: Path | None,
    expected: Expected,
    jobs: int | None,
    console: Console,
    host: Host,
) -> str:
    """Verify, then put everything in its place. Returns the bundle's id.

    replace: whether a bundle of other lockfiles may lose its place there. base: the bundle that
    has what a delta lacks.
    """
    from vendorpack.unpack import ways as unpacking  # noqa: PLC0415
    from vendorpack.unpack.delta import pieces_of_base  # noqa: PLC0415

    progress = Progress(console)
    with ExitStack() as stack:
        bundle = stack.enter_context(open_bundle(path, or_delta=True))
        head = bundle.manifest.head
        expected.check(head, bundle.id, path)
        if base is not None and bundle.delta is None:
            raise UsageError("this is a full bundle, and needs no --base", where=str(path))
        if prefix is None and base is None and bundle.delta is not None:
            raise UsageError(
                "this is a delta: what it lacks is not taken from the clients' own caches",
                where=str(path),
                fix="Name the file of its base with --base, or the folder it is in with --prefix.",
            )
        base_bundle = None if base is None else stack.enter_context(open_bundle(base))
        pieces = in_bundle(bundle)
        if expected.lockfiles and bundle.delta is not None:
            pieces = either(pieces, pieces_of_base(bundle, base_bundle, prefix))
        expected.prove(bundle.manifest, pieces, console, host)
        progress.start("unpacking", _size(bundle), "byte")
        if prefix is not None:
            result = describe_unpacked(
                prefix,
                unpacking.unpack_to_prefix(
                    bundle,
                    prefix,
                    base=base_bundle,
                    jobs=jobs or cores(),
                    progress=progress.add_bytes,
                    replace=replace,
                ),
            )
        else:
            boundary.refuse_unknown(bundle.unknown)
            rooms = {name: load(name) for name in sorted(head.layouts)}
            result = describe_merged(
                unpacking.merge_into(
                    bundle,
                    native_roots(rooms, host),
                    merge_of(rooms, host),
                    base=base_bundle,
                    jobs=jobs or cores(),
                    progress=progress.add_bytes,
                )
            )
        progress.finish()
        console.say(result)
        if bundle.unknown:
            console.warn(
                f"no format is named {' or '.join(map(repr, bundle.unknown))} here, so nobody "
                f"checked what it sets: read {environment.ENV_NAME} before you source it",
                str(prefix),
            )
        else:
            say_next(console, prefix, sorted(head.layouts), path)
        if console.as_json:
            console.answer_json(
                {
                    "id": bundle.id,
                    "key": head.key,
                    "prefix": None if prefix is None else str(prefix),
                }
            )
        return bundle.id


@dataclass(frozen=True, slots=True)
class Checked:
    """A bundle, or an unpacked one, that is as it was packed.

    delta: what is in the file itself, if it is one; all else is the full bundle's. proof: what came
    of holding it against lockfiles.
    """

    id: str
    manifest: Manifest
    delta: Delta | None
    proof: Mapping[str, Json]


def check(
    path: Path, expected: Expected, licenses: LicenseRules, console: Console, host: Host
) -> Checked:
    """Check a bundle or an unpacked one whole. Raises on the first thing that is wrong."""
    from vendorpack.unpack import ways as unpacking  # noqa: PLC0415

    if path.is_dir():
        manifest, bundle_id = _manifest_of_folder(path)
        expected.check(manifest.head, bundle_id, path)
        found = unpacking.check_folder(path, manifest, jobs=cores())
        if not found:
            wrong = [f"missing {name}" for name in found.missing]
            wrong += [f"changed {name}" for name in found.changed]
            raise BundleError(
                f"{len(wrong)} of {len(manifest.files)} files are not as they were packed",
                where="\n".join([*wrong[:10], *(["…"] if len(wrong) > 10 else [])]),
                fix="Unpack the bundle again.",
            )
        checked = Checked(
            bundle_id, manifest, None, expected.prove(manifest, in_folder(path), console, host)
        )
    else:
        progress = Progress(console)
        with open_bundle(path, or_delta=True) as bundle:
            manifest = bundle.manifest
            expected.check(manifest.head, bundle.id, path)
            progress.start("verifying", _size(bundle), "byte")
            bundle.verify(jobs=cores(), progress=progress.add_bytes)
            progress.finish()
            proof = expected.prove(manifest, in_bundle(bundle), console, host, bundle.files)
            checked = Checked(bundle.id, manifest, bundle.delta, proof)
    licenses.check(manifest.head.artifacts)
    return checked


def verify(
    path: Path, expected: Expected, licenses: LicenseRules, console: Console, host: Host
) -> None:
    """Check a bundle or an unpacked one whole, and say what it is."""
    checked = check(path, expected, licenses, console, host)
    manifest, delta = checked.manifest, checked.delta
    if console.as_json:
        summary: dict[str, Any] = {
            "id": checked.id,
            "key": manifest.head.key,
            "artifacts": len(manifest.head.artifacts),
            "files": len(manifest.files),
            "size": manifest.size(),
            **checked.proof,
        }
        if delta is not None:
            summary |= {"base": delta.base, "files_here": len(delta.files)}
        console.answer_json(summary)
        return
    if delta is not None:
        console.say(
            f"{path}: a delta: the {len(delta.files)} files in it are as packed; the other "
            f"{len(manifest.files) - len(delta.files)} are in bundle {delta.base}"
        )
    else:
        console.say(f"{path}: {_extent(manifest)}: all as packed")
    console.answer(f"id {checked.id}")
    console.answer(f"key {manifest.head.key}")


def _size(bundle: Bundle) -> int:
    """Bytes of the tar that are to be gone through."""
    return sum(frame.span.size for frame in bundle.frames)


def _extent(manifest: Manifest) -> str:
    return f"{counted(len(manifest.files), 'file')}, {human(manifest.size())}"


def show(path: Path, files: bool, console: Console) -> None:
    """List a bundle's artifacts, or its files."""
    manifest, bundle_id = manifest_of(path)
    head = manifest.head
    if console.as_json:
        listing: dict[str, Any] = {"id": bundle_id, **json.loads(manifest.dump())}
        if not files:
            del listing["files"], listing["frames"]
        console.answer_json(listing)
        return
    console.answer(f"id       {bundle_id}")
    console.answer(f"key      {head.key}")
    for lock in head.lockfiles:
        console.answer(f"lockfile {lock.path} ({lock.format}, sha256 {lock.sha256[:12]}…)")
    for name, value in sorted(head.options.items()):
        console.answer(f"options  {name}: {json.dumps(value, sort_keys=True)}")
    console.answer_table([_HEADINGS, *(_show_row(artifact) for artifact in head.artifacts)])
    console.answer(f"{counted(len(head.artifacts), 'artifact')}, {_extent(manifest)}")
    if files:
        for file in manifest.files:
            console.answer(f"{file.mode:o} {file.size:>12,} {file.path}")


def show_sums(path: Path, console: Console) -> None:
    """List what `sha256sum -c` compares an unpacked bundle with."""
    manifest, bundle_id = manifest_of(path)
    rows = [(file.path, file.sha256) for file in manifest.files if file.sha256 is not None]
    console.answer_lines(
        f"{sha256}  {name}" for name, sha256 in [(MANIFEST_PATH, bundle_id), *rows]
    )


def env(
    path: Path, shell: str, prefix: PurePath | None, undo: bool, console: Console, host: Host
) -> None:
    """Print the environment of a folder, or of the native caches after `unpack`.

    prefix: where the bundle will lie, perhaps on another machine. undo: what takes it back.
    """
    if prefix is not None and not prefix.is_absolute():
        raise UsageError("--prefix has to be an absolute path", where=str(prefix))
    # What the user has set here is of no matter elsewhere, and no part of what is taken back.
    environ = {} if undo or prefix is not None else host.environ
    if prefix is None and path.is_dir():
        prefix = path.resolve()
    manifest, _ = manifest_of(path)
    boundary.refuse_unknown(boundary.check_opened(manifest, boundary_of))
    if prefix is not None:
        place = _below(prefix)
    else:
        rooms = {name: load(name) for name in sorted(manifest.head.layouts)}
        place = native_place(native_roots(rooms, host))
    pairs = environment.resolve(manifest.head.environment, place, environ, host.home)
    if undo:
        own = () if prefix is None else (("VENDORPACK_PREFIX", str(prefix)),)
        console.answer(shells.render_undo((*pairs, *own), host.environ, shell))
    else:
        console.answer(shells.render(pairs, shell))


def _below(prefix: PurePath) -> Callable[[str], str | None]:
    return lambda path: str(prefix / path)


def environ_of(env: Environment, prefix: Path, host: Host) -> tuple[tuple[str, str], ...]:
    """The variables of a bundle that lies unpacked there, over those that the user has."""
    return environment.resolve(env, _below(prefix), host.environ, host.home)


def manifest_of(path: Path) -> tuple[Manifest, str]:
    """The manifest and the id of a bundle or an unpacked one; a delta's are the full bundle's.

    Raises `BundleError`.
    """
    if path.is_dir():
        return _manifest_of_folder(path)
    with open_bundle(path, or_delta=True) as bundle:
        return bundle.manifest, bundle.id


def _manifest_of_folder(folder: Path) -> tuple[Manifest, str]:
    try:
        data = (folder / MANIFEST_PATH).read_bytes()
    except OSError as error:
        raise BundleError(
            f"not an unpacked bundle: {error.strerror}",
            where=str(folder / MANIFEST_PATH),
        ) from None
    manifest = Manifest.parse(data)
    # Where a delta's tar was extracted over its base's, the manifest is the delta's.
    full = manifest.full()
    boundary.check_opened(full, boundary_of)
    return full, manifest_id(data) if full is manifest else full.id()


_HEADINGS: Final = ("package", "version", "format", "size", "licence", "for", "hash from")


def _show_row(artifact: Mapping[str, Any]) -> tuple[str, ...]:
    declared = license_of(artifact)
    return (
        str(artifact.get("name", "")),
        str(artifact.get("version", "")),
        str(artifact.get("format", "")),
        human(artifact.get("size") or 0),
        declared if len(declared) <= _LICENSE else f"{declared[: _LICENSE - 1]}…",
        ", ".join(map(str, artifact.get("why") or ())),
        str(artifact.get("trust", "")),
    )
