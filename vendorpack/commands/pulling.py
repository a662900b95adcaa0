"""pull: a bundle from a container registry, verified."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

from vendorpack import eventloop
from vendorpack.bundle.reader import Bundle, open_bundle
from vendorpack.commands import DEFAULT_OUTPUT, file_name
from vendorpack.commands.repositories import open_repository
from vendorpack.commands.signed import Trusted, keep_beside
from vendorpack.commands.storing import store_folder
from vendorpack.console import Console
from vendorpack.dataclass import dataclass
from vendorpack.errors import (
    BundleError,
    FetchError,
    IntegrityError,
    KeyMismatchError,
)
from vendorpack.files import temporary
from vendorpack.files.disk import real_path, sha256_of, storage_error
from vendorpack.files.pipes import placed
from vendorpack.machine import cores
from vendorpack.oci.image import Descriptor, digest_of, parse_manifest
from vendorpack.oci.reference import Reference, parse_reference
from vendorpack.oci.signatures import attached
from vendorpack.progress import Progress, human
from vendorpack.project import Host
from vendorpack.store.local import Store

_KEY = re.compile(r"[0-9a-f]{64}")
_COPY: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came from a registry. image: digest of the manifest."""

    reference: Reference
    image: str
    layer: Descriptor
    id: str
    key: str
    fetched: int
    signature: bytes | None = None

    @property
    def pinned(self) -> str:
        """The reference with the digest of what it meant."""
        return str(self.reference.at(tag=self.reference.tag, digest=self.image))


def pull(
    source: str,
    output: Path | None,
    key_here: Callable[[], str],
    trusted: Trusted,
    store_dir: Path | None,
    console: Console,
    host: Host,
) -> None:
    """Get a bundle from a registry and check it. `key_here`: the tag, if none is named.

    A signature that is attached to it is written beside it.
    """
    reference = parse_reference(source)
    if reference.tag is None and reference.digest is None:
        reference = reference.at(tag=key_here())
    with nullcontext() if output is None else placed(output, file_name(output)) as place:
        pulled, path = pull_image(reference, place, _any, trusted, store_dir, console, host)
        if pulled is None:
            raise FetchError(
                "the registry has no such bundle",
                where=str(reference),
                fix="Pack the lockfiles and push the bundle: vendorpack push BUNDLE "
                f"{reference.host}/{reference.repository}",
                status=404,
            )
    path = output or path
    console.say(f"{path}: {how_pulled(pulled)}")
    signed = keep_beside(path, pulled.signature, console)
    if console.as_json:
        answer = {"path": str(path), "id": pulled.id, "key": pulled.key, "signature": signed}
        console.answer_json({**answer, "digest": pulled.image, "reference": pulled.pinned})
    else:
        console.report(f"{path} {pulled.id}")


def pull_image(
    reference: Reference,
    output: Path | None,
    check: Callable[[Bundle], None],
    trusted: Trusted,
    store_dir: Path | None,
    console: Console,
    host: Host,
) -> tuple[Pulled | None, Path]:
    """What was pulled and where to; None if it is not there.

    Nothing is at the output before it is verified, its key and signature with it. Raises what
    `check` does.
    """
    progress = Progress(console)
    kept: list[bytes] = []
    chosen: list[bytes | None] = [None]

    def checked(bundle: Bundle) -> None:
        _check_key(bundle, reference)
        check(bundle)
        chosen[0] = trusted.choose(bundle.id, kept, str(reference), console)

    async def run() -> tuple[Pulled | None, Path]:
        async with open_repository(reference, progress, console, host, False) as repository:
            manifest = await repository.manifest(reference.digest or reference.tag or "")
            if manifest is None:
                return None, output or DEFAULT_OUTPUT
            layer = parse_manifest(manifest, str(reference))
            path = output or Path(layer.file_name)
            if path.suffix == ".tar" and layer.file_name != "deps.tar":
                raise _another_kind(path, reference)
            image = digest_of(manifest)
            if trusted.signers is not None:
                kept.extend(await attached(repository, image))
                trusted.need(kept, str(reference))
            present = _present(path, layer, checked)
            if present is not None:
                key = _key_of(path)
                return Pulled(reference, image, layer, present, key, 0, chosen[0]), path
            if trusted.signers is None:
                kept.extend(await attached(repository, image))
            store = Store(store_folder(store_dir, host))
            with store.in_use(), store.part(f"{reference.base} {layer.digest}") as part:
                progress.start("pulling", layer.size, "byte")
                got = await repository.download(layer, part, str(reference))
                if got.values["sha256"].hex() != layer.hex and got.fetched < layer.size:
                    # Some of it was from an earlier run: let none of that be the reason.
                    part.unlink(missing_ok=True)
                    got = await repository.download(layer, part, str(reference))
                progress.finish()
                if got.values["sha256"].hex() != layer.hex:
                    part.unlink(missing_ok=True)
                    raise IntegrityError(
                        "the registry sends other bytes than its manifest names",
                        where=f"{reference}\nexpected {layer.digest}\n"
                        f"actual   sha256:{got.values['sha256'].hex()}",
                        fix="Do not use it: it was changed in the registry, or on its way here.",
                    )
                bundle_id, key = _place(part, path, checked, reference)
            fetched = got.fetched
            return Pulled(reference, image, layer, bundle_id, key, fetched, chosen[0]), path

    return eventloop.run(run())


def _place(
    part: Path, output: Path, check: Callable[[Bundle], None], reference: Reference
) -> tuple[str, str]:
    """Copy, verify, check, and only then give it its name. Returns id and key."""
    output = real_path(output)
    try:
        temporary.sweep(output.parent, output.name)
        name, fd = temporary.create_file(output)
        try:
            with open(fd, "wb") as out, part.open("rb") as file:
                shutil.copyfileobj(file, out, _COPY)
                out.flush()
                os.fsync(out.fileno())
                with _open(name, reference) as bundle:
                    check(bundle)
                    found = bundle.id, bundle.manifest.head.key
                temporary.publish(name, output)
        except BaseException as error:
            temporary.remove(name)
            if not isinstance(error, OSError):
                part.unlink(missing_ok=True)
            raise
        part.unlink(missing_ok=True)
    except OSError as error:
        # The part is sound, and kept: there may be room for it later.
        raise storage_error(error, output) from None
    return found


@contextmanager
def _open(path: Path, reference: Reference) -> Iterator[Bundle]:
    """A bundle every byte of which was verified; it is known by where it came from."""
    try:
        with open_bundle(path) as bundle:
            bundle.verify(jobs=cores())
            yield bundle
    except BundleError as error:
        error.where = str(reference)
        error.fix = "What was pushed there is no bundle of vendorpack, or a damaged one."
        raise


def _present(path: Path, layer: Descriptor, check: Callable[[Bundle], None]) -> str | None:
    """The id of the bundle at the output, if it is the very one the registry has."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size != layer.size:
                return None
            if sha256_of(file.fileno()) != layer.hex:
                return None
        with open_bundle(path) as bundle:
            bundle.verify(jobs=cores())
            check(bundle)
            return bundle.id
    except (OSError, BundleError):
        return None


def _key_of(path: Path) -> str:
    with open_bundle(path) as bundle:
        return bundle.manifest.head.key


def _check_key(bundle: Bundle, reference: Reference) -> None:
    key = bundle.manifest.head.key
    if reference.tag is not None and _KEY.fullmatch(reference.tag) and key != reference.tag:
        raise KeyMismatchError(
            "the registry has a bundle under this key that was made for another lockfile",
            where=f"{reference}\nbundle's key {key}",
            fix="Somebody moved the tag: push the right bundle with --replace, and find out who.",
        )


def _another_kind(path: Path, reference: Reference) -> FetchError:
    return FetchError(
        f"the registry's bundle is compressed, and {path} is to be a plain tar",
        where=str(reference),
        fix="Name an output that ends in .tar.zst.",
    )


def how_pulled(pulled: Pulled) -> str:
    """A line on how the bundle came here."""
    if not pulled.fetched:
        return f"already what {pulled.reference} has"
    return f"{human(pulled.layer.size)} from {pulled.pinned}"


def _any(_bundle: Bundle) -> None:
    """Any sound bundle will do."""
