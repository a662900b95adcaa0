"""What each command does, once the command line has been read."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vendorpack import environment
from vendorpack.bundle.manifest import MANIFEST_PATH, Head, LockfileHash, Manifest, manifest_id
from vendorpack.bundle.plan import Section
from vendorpack.bundle.reader import open_bundle
from vendorpack.bundle.writer import write_bundle
from vendorpack.console import Console
from vendorpack.discover import Found
from vendorpack.environment import ENV_NAME
from vendorpack.errors import BundleError, KeyMismatchError, UsageError, VendorpackError
from vendorpack.formats import load
from vendorpack.key import Keyed, compute_key, hash_lockfile
from vendorpack.model import Access, Entry, Environment, Host, Json, Options
from vendorpack.pack import (
    Gathered,
    Locked,
    Run,
    access_of,
    artifact_record,
    entries_of,
    plan_record,
    read_all,
    still_allowed,
    with_repair,
)
from vendorpack.policy import Policy
from vendorpack.progress import Progress, human
from vendorpack.store import Store, cache_folder, default_folder

if TYPE_CHECKING:
    from vendorpack.fetch.http import Client
    from vendorpack.unpack import MergeResult, Unpacked


@dataclass(frozen=True, slots=True)
class Request:
    """What `pack` and `download` were asked for."""

    found: Sequence[Found]
    options: Options
    policy: Policy
    store_dir: Path | None
    jobs: int
    host: Host


@dataclass(frozen=True, slots=True)
class Expected:
    """What a bundle must have been made for, if that was said."""

    key: str | None = None
    lockfiles: tuple[Path, ...] = ()

    def check(self, head: Head) -> None:
        """Raise `KeyMismatchError` unless the bundle is for this key and these lockfiles."""
        if self.key is not None and self.key != head.key:
            raise KeyMismatchError(
                "the bundle was made for another lockfile, or with other options",
                where=f"expected key {self.key}\nbundle's key {head.key}",
                fix="Pack the current lockfile, or take the bundle that has this key.",
            )
        packed = {lock.sha256 for lock in head.lockfiles}
        for path in self.lockfiles:
            try:
                data = path.read_bytes()
            except OSError as error:
                raise UsageError(
                    f"cannot read the lockfile: {error.strerror}", where=str(path)
                ) from None
            if hash_lockfile(data) not in packed:
                raise KeyMismatchError(
                    "the bundle was not made for this lockfile",
                    where=f"{path}\nthe bundle has "
                    + ", ".join(f"{lock.path} ({lock.sha256[:12]}…)" for lock in head.lockfiles),
                    fix="Pack it again: the lockfile has changed since.",
                )


# -- pack --------------------------------------------------------------------------------------


def pack(request: Request, console: Console, output: Path, level: int) -> None:
    """Write the bundle, unless the output already is the one that would be written."""
    started = time.monotonic()
    keyed = compute_key(request.found, request.options)
    uncompressed = output.suffix == ".tar"
    mtime = _source_date_epoch(request.host)
    existing = _existing(output, keyed, None if uncompressed else level, mtime, request.policy)
    if existing is not None:
        console.say(f"{output} already has this key: nothing to do")
        _answer_packed(console, output, existing, keyed.key, {"reused": True})
        return
    locked = read_all(request.found, request.options)
    _warn_of(console, locked)
    run = _run(request, console)

    def write(gathered: Gathered) -> Any:
        run.progress.start("packing", None, "files")
        return write_bundle(
            output,
            _head(keyed, gathered),
            _sections(gathered, run.store),
            read_blob=run.store.chunks,
            level=level,
            jobs=min(request.jobs, _cores()),
            progress=run.progress.add_bytes,
            mtime=mtime,
            uncompressed=uncompressed,
        )

    written = with_repair(run, locked, write)
    run.progress.finish()
    tally = run.tally
    console.say(
        f"{output}: {human(written.size)}, {written.files} files; "
        f"{tally.downloaded} downloaded ({human(tally.bytes_downloaded)}), "
        f"{tally.reused} from the store; {time.monotonic() - started:.1f} s"
    )
    _answer_packed(
        console,
        output,
        written.id,
        keyed.key,
        {
            "reused": False,
            "sha256": written.sha256,
            "size": written.size,
            "downloaded": tally.downloaded,
            "bytes_downloaded": tally.bytes_downloaded,
            "from_store": tally.reused,
        },
    )


def plan(request: Request, console: Console) -> None:
    """Say what would be downloaded, as far as the lockfiles alone tell."""
    keyed = compute_key(request.found, request.options)
    locked = read_all(request.found, request.options)
    _warn_of(console, locked)
    origins = request.policy.origins | access_of(locked).origins
    policy = Policy(origins, request.policy.allow_hosts)
    policy.check_hosts(a for item in locked for a in item.lockfile.artifacts)
    records = [
        {"format": item.room.name, **plan_record(artifact, item.room.name)}
        for item in locked
        for artifact in item.lockfile.artifacts
    ]
    if console.as_json:
        console.answer_json({"key": keyed.key, "artifacts": records})
        return
    for record in records:
        console.answer(f"{record['name']} {record['version']}  {record['url'] or '(to be asked)'}")
    console.say(f"{len(records)} artifacts; key {keyed.key}")


def download(request: Request, console: Console, prefix: Path | None) -> None:
    """Fill the native caches, or a folder, without a bundle in between."""
    from vendorpack import unpack as unpacking  # noqa: PLC0415

    locked = read_all(request.found, request.options)
    keyed = compute_key(request.found, request.options)
    _warn_of(console, locked)
    run = _run(request, console)

    def install(gathered: Gathered) -> str:
        run.progress.start("writing", None, "files")
        sections = _sections(gathered, run.store)
        if prefix is None:
            return _merged(
                unpacking.merge_entries(
                    sections,
                    _native_roots(gathered.rooms, request.host),
                    _merge_of(gathered.rooms),
                    read_blob=run.store.chunks,
                    jobs=_cores(),
                    progress=run.progress.add_bytes,
                )
            )
        return _unpacked(
            prefix,
            unpacking.entries_to_prefix(
                _head(keyed, gathered),
                sections,
                prefix,
                read_blob=run.store.chunks,
                jobs=_cores(),
                progress=run.progress.add_bytes,
            ),
        )

    result = with_repair(run, locked, install)
    run.progress.finish()
    console.say(
        f"{run.tally.downloaded} downloaded ({human(run.tally.bytes_downloaded)}), "
        f"{run.tally.reused} from the store; {result}"
    )
    _say_next(console, prefix, sorted(keyed.layouts))
    if console.as_json:
        console.answer_json(
            {
                "key": keyed.key,
                "prefix": None if prefix is None else str(prefix),
                "downloaded": run.tally.downloaded,
                "from_store": run.tally.reused,
            }
        )


# -- the other way -----------------------------------------------------------------------------


def unpack(
    path: Path,
    prefix: Path | None,
    expected: Expected,
    jobs: int | None,
    console: Console,
    host: Host,
) -> None:
    """Verify, then put everything in its place."""
    from vendorpack import unpack as unpacking  # noqa: PLC0415

    progress = Progress(console)
    with open_bundle(path) as bundle:
        head = bundle.manifest.head
        expected.check(head)
        progress.start("unpacking", None, "files")
        if prefix is not None:
            result = _unpacked(
                prefix,
                unpacking.unpack_to_prefix(
                    bundle, prefix, jobs=jobs or _cores(), progress=progress.add_bytes
                ),
            )
        else:
            rooms = {name: load(name) for name in sorted(head.layouts)}
            result = _merged(
                unpacking.merge_into(
                    bundle,
                    _native_roots(rooms, host),
                    _merge_of(rooms),
                    jobs=jobs or _cores(),
                    progress=progress.add_bytes,
                )
            )
        progress.finish()
        console.say(result)
        _say_next(console, prefix, sorted(head.layouts))
        if console.as_json:
            console.answer_json(
                {
                    "id": bundle.id,
                    "key": head.key,
                    "prefix": None if prefix is None else str(prefix),
                }
            )


def verify(path: Path, expected: Expected, console: Console) -> None:
    """Check a bundle or an unpacked one whole. Raises on the first thing that is wrong."""
    from vendorpack import unpack as unpacking  # noqa: PLC0415

    if path.is_dir():
        manifest, bundle_id = _manifest_of_folder(path)
        expected.check(manifest.head)
        check = unpacking.check_folder(path, manifest, jobs=_cores())
        if not check:
            wrong = [f"missing {name}" for name in check.missing]
            wrong += [f"changed {name}" for name in check.changed]
            raise BundleError(
                f"{len(wrong)} of {len(manifest.files)} files are not as they were packed",
                where="\n".join([*wrong[:10], *(["…"] if len(wrong) > 10 else [])]),
                fix="Unpack the bundle again.",
            )
    else:
        with open_bundle(path) as bundle:
            manifest, bundle_id = bundle.manifest, bundle.id
            expected.check(manifest.head)
            bundle.verify(jobs=_cores())
    summary = {
        "id": bundle_id,
        "key": manifest.head.key,
        "artifacts": len(manifest.head.artifacts),
        "files": len(manifest.files),
        "size": manifest.size(),
    }
    if console.as_json:
        console.answer_json(summary)
        return
    console.say(f"{path}: {len(manifest.files)} files, {human(manifest.size())}: all as packed")
    console.answer(f"id {bundle_id}")
    console.answer(f"key {manifest.head.key}")


def show(path: Path, files: bool, console: Console) -> None:
    """List a bundle's artifacts, or its files."""
    manifest, bundle_id = _manifest_of(path)
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
    rows = [_show_row(artifact) for artifact in head.artifacts]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(4)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        console.answer("  ".join([*cells, row[-1]]).rstrip())
    console.answer(f"{len(rows)} artifacts, {len(manifest.files)} files, {human(manifest.size())}")
    if files:
        for file in manifest.files:
            console.answer(f"{file.mode:o} {file.size:>12,} {file.path}")


def env(path: Path, shell: str, console: Console, host: Host) -> None:
    """Print the environment of a folder, or of the native caches after `unpack`."""
    manifest, _ = _manifest_of(path)
    if path.is_dir():
        pairs = _environ_of(manifest.head.environment, path.resolve())
    else:
        rooms = {name: load(name) for name in sorted(manifest.head.layouts)}
        pairs = environment.resolve(
            manifest.head.environment, _native_place(_native_roots(rooms, host))
        )
    console.answer(environment.render(pairs, shell))


def run(
    path: Path, command: Sequence[str], expected: Expected, console: Console, host: Host
) -> None:
    """Unpack to a folder of our own, and become the command."""
    from vendorpack import unpack as unpacking  # noqa: PLC0415

    if command[0] == "--":
        command = command[1:]
    if not command:
        raise UsageError("nothing to run", fix="vendorpack run BUNDLE -- COMMAND…")
    with open_bundle(path) as bundle:
        expected.check(bundle.manifest.head)
        prefix = cache_folder(host) / "run" / bundle.id[:32]
        prefix.parent.mkdir(parents=True, exist_ok=True)
        unpacking.unpack_to_prefix(bundle, prefix, jobs=_cores())
        pairs = _environ_of(bundle.manifest.head.environment, prefix)
    environ = {**host.environ, **dict(pairs), "VENDORPACK_PREFIX": str(prefix)}
    program = shutil.which(command[0], path=environ.get("PATH"))
    if program is None:
        raise UsageError(f"there is no command {command[0]!r}")
    console.out.flush()
    os.execve(program, list(command), environ)  # noqa: S606 - becoming the command is the point


# -- the store ---------------------------------------------------------------------------------


def store_folder(named: Path | None, host: Host) -> Path:
    """Where the store is, or would be."""
    return named if named is not None else default_folder(host)


def store_size(folder: Path, console: Console) -> None:
    """Say how much there is."""
    usage = Store(folder).usage()
    if console.as_json:
        console.answer_json({"path": str(folder), "artifacts": usage.blobs, "size": usage.size})
    else:
        console.answer(f"{usage.blobs} artifacts, {human(usage.size)} in {folder}")


def store_prune(folder: Path, unused_days: int, console: Console) -> None:
    """Remove what was not used for so long."""
    removed = Store(folder).prune(unused_days * 24 * 3600, time.time())
    if console.as_json:
        console.answer_json({"removed": removed.blobs, "size": removed.size})
    else:
        console.answer(f"removed {removed.blobs} artifacts, {human(removed.size)}")


# -- parts -------------------------------------------------------------------------------------


def _run(request: Request, console: Console) -> Run:
    def connect(access: Access, policy: Policy) -> Client:
        from vendorpack.fetch.http import Client, Limits  # noqa: PLC0415 - a quarter second

        return Client(
            access,
            policy,
            environ=request.host.environ,
            home=request.host.home,
            limits=Limits(jobs=request.jobs),
            on_bytes=progress.add_bytes,
            on_retry=console.say,
        )

    progress = Progress(console)
    return Run(
        options=request.options,
        policy=request.policy,
        store=Store(store_folder(request.store_dir, request.host)),
        connect=connect,
        environ=request.host.environ,
        progress=progress,
        say=console.say,
        warn=console.warn,
    )


def _existing(
    output: Path, keyed: Keyed, level: int | None, mtime: int, policy: Policy
) -> str | None:
    """The id of the bundle at `output`, if it is sound and what would be written now."""
    if not output.is_file():
        return None
    try:
        with open_bundle(output) as bundle:
            head = bundle.manifest.head
            if (
                head.key == keyed.key
                and (bundle.trailer.level if bundle.trailer else None) == level
                and bundle.manifest.mtime == mtime
                and still_allowed(head.artifacts, policy)
            ):
                bundle.verify(jobs=_cores())
                return bundle.id
    except VendorpackError:
        pass  # not a bundle, or a damaged one: it is written anew
    return None


def _head(keyed: Keyed, gathered: Gathered) -> Head:
    return Head(
        key=keyed.key,
        lockfiles=tuple(LockfileHash(p.path, p.format, p.sha256) for p in keyed.pinned),
        layouts=keyed.layouts,
        options=keyed.options,
        artifacts=tuple(
            artifact_record(packed, name)
            for name in sorted(gathered.packed)
            for packed in gathered.packed[name]
        ),
        environment=gathered.environment,
    )


def _sections(gathered: Gathered, store: Store) -> Iterator[Section]:
    env = environment.env_file(gathered.environment)
    yield Section("", False, [(Entry(ENV_NAME, env), None)])
    for room, entries in entries_of(gathered, store):
        yield Section(room.name, room.opens_artifacts, entries)


def _warn_of(console: Console, locked: Iterable[Locked]) -> None:
    for item in locked:
        for warning in item.lockfile.warnings:
            console.warn(warning.what, warning.where)


def _unpacked(prefix: Path, result: Unpacked) -> str:
    return f"{prefix}: unpacked" if result.changed else f"{prefix}: holds this bundle already"


def _merged(result: MergeResult) -> str:
    return f"{result.written} files written, {result.kept} kept, {result.replaced} replaced"


def _answer_packed(
    console: Console, output: Path, bundle_id: str, key: str, more: Mapping[str, Json]
) -> None:
    if console.as_json:
        console.answer_json({"path": str(output), "id": bundle_id, "key": key, **more})
    else:
        console.answer(f"{output} {bundle_id}")


def _say_next(console: Console, prefix: Path | None, formats: Sequence[str]) -> None:
    commands = " or ".join(load(name).command for name in formats)
    if prefix is not None:
        console.say(f"next: . {prefix / ENV_NAME} && {commands}")
    else:
        console.say(f"next: {commands} (vendorpack env BUNDLE prints the variables that help)")


def _native_roots(rooms: Mapping[str, Any], host: Host) -> dict[str, Path]:
    return {
        path: folder
        for name in sorted(rooms)
        for path, folder in rooms[name].native_roots(host).items()
    }


def _merge_of(rooms: Mapping[str, Any]) -> Callable[[str, bytes, bytes], bytes]:
    """Let the room whose cache it is join an entry with what is there already."""
    roots = {
        path: room
        for room in rooms.values()
        for path in room.native_roots(Host({}, Path("/"), "linux"))
    }

    def merge(path: str, existing: bytes, ours: bytes) -> bytes:
        owner = _longest(path, roots)
        return ours if owner is None else bytes(roots[owner].merge(path, existing, ours))

    return merge


def _longest(path: str, prefixes: Iterable[str]) -> str | None:
    fitting = [p for p in prefixes if path == p or path.startswith(p + "/")]
    return max(fitting, key=len, default=None)


def _native_place(roots: Mapping[str, Path]) -> Callable[[str], str | None]:
    def place(path: str) -> str | None:
        root = _longest(path, roots)
        if root is None:
            return None
        return str(roots[root] / path[len(root) :].lstrip("/"))

    return place


def _environ_of(env: Environment, prefix: Path) -> tuple[tuple[str, str], ...]:
    return environment.resolve(env, lambda path: str(prefix / path))


def _manifest_of(path: Path) -> tuple[Manifest, str]:
    if path.is_dir():
        return _manifest_of_folder(path)
    with open_bundle(path) as bundle:
        return bundle.manifest, bundle.id


def _manifest_of_folder(folder: Path) -> tuple[Manifest, str]:
    try:
        data = (folder / MANIFEST_PATH).read_bytes()
    except OSError as error:
        raise BundleError(
            f"not an unpacked bundle: {error.strerror}",
            where=str(folder / MANIFEST_PATH),
        ) from None
    return Manifest.parse(data), manifest_id(data)


def _show_row(artifact: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    trust = artifact.get("trust", "")
    return (
        str(artifact.get("name", "")),
        str(artifact.get("version", "")),
        human(artifact.get("size") or 0),
        ", ".join(map(str, artifact.get("why") or ())),
        "" if trust == "lockfile" else f"hash from: {trust}",
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _source_date_epoch(host: Host) -> int:
    """The modification time of every file: SOURCE_DATE_EPOCH, else the epoch itself."""
    text = host.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and int(text[:12]) < 8**11):
        raise UsageError(f"SOURCE_DATE_EPOCH is not a time in seconds: {text!r}")
    return int(text)
