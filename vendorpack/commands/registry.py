"""push and pull, and pack with a registry or an image layout beside it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vendorpack.bundle.reader import Bundle, open_bundle
from vendorpack.commands import packing
from vendorpack.commands.native import cores
from vendorpack.commands.storing import store_folder
from vendorpack.console import Console
from vendorpack.errors import (
    BundleError,
    FetchError,
    IntegrityError,
    KeyMismatchError,
    UsageError,
)
from vendorpack.fetch.http import Client
from vendorpack.files import temporary
from vendorpack.files.disk import real_path, sha256_of, storage_error
from vendorpack.model import Access, Host, Json
from vendorpack.oci.image import Descriptor, Image, digest_of, image_of, parse_manifest
from vendorpack.oci.layout import bundle_in, is_tar, write_layout
from vendorpack.oci.logins import find_login
from vendorpack.oci.reference import Reference, parse_reference
from vendorpack.oci.registry import Repository
from vendorpack.pack import still_allowed
from vendorpack.policy import Policy
from vendorpack.progress import Progress, human
from vendorpack.store.local import Store

DEFAULT_OUTPUT: Final = Path("deps.tar.zst")
_KEY = re.compile(r"[0-9a-f]{64}")
_COPY: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `pack` is to make, and where it may take it from.

    source: a repository that may have the bundle under its key. push: put it there if not.
    """

    output: Path | None
    oci: Path | None
    source: str | None
    push: bool
    level: int


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came from a registry. image: digest of the manifest."""

    reference: Reference
    image: str
    layer: Descriptor
    id: str
    key: str
    fetched: int

    @property
    def pinned(self) -> str:
        """The reference with the digest of what it meant."""
        return str(self.reference.at(tag=self.reference.tag, digest=self.image))


class Unsuitable(Exception):
    """No failure but a reason to pack: the registry's bundle is sound, and not what is wanted."""


# -- the commands --------------------------------------------------------------------------


def push(path: Path, target: str, replace: bool, console: Console, host: Host) -> None:
    """Put a bundle into a registry, under its key unless the target has a tag."""
    reference = parse_reference(target)
    if reference.digest:
        raise UsageError("a bundle is pushed to a tag, not to a digest")
    with open_bundle(path) as bundle:
        bundle.verify(jobs=cores())
        image = image_of(bundle)
        bundle_id = bundle.id
    reference = reference.at(tag=reference.tag or image.key)
    pushed = _push(reference, image, path, replace, console, host)
    pinned = str(reference.at(tag=reference.tag, digest=image.digest))
    console.say(f"{pinned}: {_how_pushed(pushed, image)}")
    if console.as_json:
        console.answer_json(
            {
                "reference": pinned,
                "digest": image.digest,
                "id": bundle_id,
                "key": image.key,
                "pushed": pushed,
            }
        )
    else:
        console.answer(pinned)


def pull(
    source: str,
    output: Path | None,
    key_here: Callable[[], str],
    store_dir: Path | None,
    console: Console,
    host: Host,
) -> None:
    """Get a bundle from a registry and check it. `key_here`: the tag, if none is named."""
    reference = parse_reference(source)
    if reference.tag is None and reference.digest is None:
        reference = reference.at(tag=key_here())
    pulled, path = _pull(reference, output, _any, store_dir, console, host)
    if pulled is None:
        raise FetchError(
            "the registry has no such bundle",
            where=str(reference),
            fix="Pack the lockfiles and push the bundle: vendorpack push BUNDLE "
            f"{reference.host}/{reference.repository}",
            status=404,
        )
    console.say(f"{path}: {_how_pulled(pulled)}")
    if console.as_json:
        answer = {"path": str(path), "id": pulled.id, "key": pulled.key}
        console.answer_json({**answer, "digest": pulled.image, "reference": pulled.pinned})
    else:
        console.answer(f"{path} {pulled.id}")


def pack(request: packing.Request, console: Console, wanted: Wanted) -> None:
    """Pack, or take from the registry what is there; then push, and write the image layout."""
    source = None if wanted.source is None else parse_reference(wanted.source)
    if source is not None and (source.tag or source.digest):
        raise UsageError("--from names a repository: the tag is the key of the lockfiles")
    if wanted.push and source is None:
        raise UsageError("--push needs --from", fix="Name the repository with --from.")
    if wanted.oci is not None and wanted.output is not None and wanted.oci == wanted.output:
        raise UsageError("--oci and --output name the same file")

    with _place_for(wanted) as (bundle, shown):

        def elsewhere(key: str, mtime: int) -> packing.Made | None:
            if source is None:
                return None
            check = _suitable(request.policy, mtime)
            return _taken(source.at(tag=key), bundle, check, request, console)

        made = packing.make(request, console, bundle, wanted.level, elsewhere)
        more: dict[str, Json] = {}
        push_too = wanted.push and "pulled" not in made.details
        if wanted.oci is not None or push_too:
            with open_bundle(bundle) as opened:
                image = image_of(opened)
            if wanted.oci is not None:
                written = write_layout(wanted.oci, image, bundle)
                more["oci"] = {"path": str(wanted.oci), "digest": image.digest}
                state = "" if written else " (there already)"
                console.say(f"{wanted.oci}: image {image.digest}{state}")
            if push_too and source is not None:
                reference = source.at(tag=image.key)
                pushed = _push(reference, image, bundle, False, console, request.host)
                pinned = str(reference.at(tag=image.key, digest=image.digest))
                more["pushed"] = pushed
                more["reference"] = pinned
                console.say(f"{pinned}: {_how_pushed(pushed, image)}")
        packing.tell(console, shown, made, more)


# -- pack ----------------------------------------------------------------------------------


@contextmanager
def _place_for(wanted: Wanted) -> Iterator[tuple[Path, Path]]:
    """Where the bundle is written, and the name it is shown under."""
    if wanted.output is not None or wanted.oci is None:
        output = wanted.output or DEFAULT_OUTPUT
        yield output, output
        return
    layout = real_path(wanted.oci)
    temporary.sweep(layout.parent, layout.name)
    try:
        folder, fd = temporary.create_folder(layout.parent, layout.name)
    except OSError as error:
        raise storage_error(error, layout.parent) from None
    try:
        bundle = folder / DEFAULT_OUTPUT.name
        present = None if is_tar(layout) else bundle_in(layout)
        if present is not None:
            # What the layout has may be what would be packed.
            shutil.copyfile(present, bundle)
        yield bundle, wanted.oci
    finally:
        temporary.remove(folder)
        os.close(fd)


def _suitable(policy: Policy, mtime: int) -> Callable[[Bundle], None]:
    def check(bundle: Bundle) -> None:
        if bundle.manifest.mtime != mtime:
            raise Unsuitable("its files have another time (SOURCE_DATE_EPOCH)")
        if not still_allowed(bundle.manifest.head.artifacts, policy):
            raise Unsuitable("it has packages that were let in by name, and are not now")

    return check


def _taken(
    reference: Reference,
    output: Path,
    check: Callable[[Bundle], None],
    request: packing.Request,
    console: Console,
) -> packing.Made | None:
    """The bundle from the registry; None, and a word on why, if it is to be packed."""
    try:
        pulled, _ = _pull(reference, output, check, request.store_dir, console, request.host)
    except Unsuitable as reason:
        console.say(f"{reference}: {reason}")
        return None
    except FetchError as error:
        console.warn(f"{error.what}; packing instead", str(reference))
        return None
    if pulled is None:
        console.say(f"{reference}: not there yet")
        return None
    details: dict[str, Json] = {"reused": False, "pulled": pulled.pinned}
    return packing.Made(pulled.id, pulled.key, _how_pulled(pulled), details)


# -- push ----------------------------------------------------------------------------------


def _push(
    reference: Reference, image: Image, bundle: Path, replace: bool, console: Console, host: Host
) -> bool:
    """Whether anything had to be pushed."""

    async def run() -> bool:
        async with _repository(reference, Progress(console), console, host, True) as repository:
            return await _push_to(repository, image, bundle, replace)

    return asyncio.run(run())


async def _push_to(repository: Repository, image: Image, bundle: Path, replace: bool) -> bool:
    tag = repository.reference.tag
    assert tag is not None
    present = await repository.manifest(tag)
    if present == image.manifest:
        return False
    if present is not None and not replace:
        raise _taken_tag(repository.reference, present, image)
    for blob, source in ((image.layer, bundle), (image.config_descriptor, image.config)):
        if not await repository.has_blob(blob.digest):
            await repository.put_blob(blob, source, blob.digest[:19])
    await repository.put_manifest(tag, image.manifest)
    # Registries let tags be moved: somebody else may have done it in this very moment.
    present = await repository.manifest(tag)
    if present is None:
        raise FetchError(
            "the registry took the image but does not have it",
            where=str(repository.reference),
            fix="Push again; it may have been deleted there in this very moment.",
        )
    if present != image.manifest:
        raise _taken_tag(repository.reference, present, image)
    return True


def _taken_tag(reference: Reference, present: bytes, image: Image) -> BundleError:
    return BundleError(
        "the registry has another image under this tag",
        where=f"{reference}\nthere   {digest_of(present)}\nours    {image.digest}",
        fix="The same lockfiles, packed with another zstd version or level, are the same tree in "
        "other bytes; pull that one, or pass --replace.",
    )


# -- pull ----------------------------------------------------------------------------------


def _pull(
    reference: Reference,
    output: Path | None,
    check: Callable[[Bundle], None],
    store_dir: Path | None,
    console: Console,
    host: Host,
) -> tuple[Pulled | None, Path]:
    """What was pulled and where to; None if it is not there.

    Nothing is at the output before it is verified, its key with it. Raises what `check` does.
    """
    progress = Progress(console)

    def checked(bundle: Bundle) -> None:
        _check_key(bundle, reference)
        check(bundle)

    async def run() -> tuple[Pulled | None, Path]:
        async with _repository(reference, progress, console, host, False) as repository:
            manifest = await repository.manifest(reference.digest or reference.tag or "")
            if manifest is None:
                return None, output or DEFAULT_OUTPUT
            layer = parse_manifest(manifest, str(reference))
            path = output or Path(layer.file_name)
            if path.suffix == ".tar" and layer.file_name != "deps.tar":
                raise _another_kind(path, reference)
            image = digest_of(manifest)
            present = _present(path, layer, checked)
            if present is not None:
                return Pulled(reference, image, layer, present, _key_of(path), 0), path
            store = Store(store_folder(store_dir, host))
            with store.part(f"{reference.base} {layer.digest}") as part:
                progress.start("pulling", None, "bytes")
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
            return Pulled(reference, image, layer, bundle_id, key, got.fetched), path

    return asyncio.run(run())


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
                name.replace(output)
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


# -- what both take ------------------------------------------------------------------------


def _repository(
    reference: Reference, progress: Progress, console: Console, host: Host, writing: bool
) -> Repository:
    def connect(access: Access, policy: Policy) -> Client:
        return Client(
            access,
            policy,
            environ=host.environ,
            home=host.home,
            on_bytes=progress.add_bytes,
            on_retry=console.say,
        )

    return Repository(
        reference,
        connect=connect,
        find_login=lambda: find_login(reference, host),
        writing=writing,
    )


def _how_pushed(pushed: bool, image: Image) -> str:
    return f"{human(image.layer.size)} pushed" if pushed else "there already: nothing to do"


def _how_pulled(pulled: Pulled) -> str:
    if not pulled.fetched:
        return f"already what {pulled.reference} has"
    return f"{human(pulled.layer.size)} from {pulled.pinned}"


def _any(_bundle: Bundle) -> None:
    """Any sound bundle will do."""
