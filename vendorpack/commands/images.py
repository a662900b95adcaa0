"""pack with a registry or an image layout beside it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vendorpack.bundle.reader import Bundle, open_bundle
from vendorpack.commands import DEFAULT_OUTPUT, file_name, packing
from vendorpack.commands.pulling import how_pulled, pull_image
from vendorpack.commands.pushing import how_pushed, push_image
from vendorpack.commands.signed import Trusted, keep_beside
from vendorpack.commands.signing import sign_made
from vendorpack.console import Console
from vendorpack.dataclass import dataclass
from vendorpack.errors import (
    FetchError,
    UsageError,
)
from vendorpack.files import temporary
from vendorpack.files.disk import real_path, storage_error
from vendorpack.files.pipes import is_stdout, is_stream, placed
from vendorpack.model import Json
from vendorpack.oci.image import image_of
from vendorpack.oci.layout import bundle_in, is_tar, write_layout
from vendorpack.oci.reference import Reference, parse_reference
from vendorpack.pack import still_allowed


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `pack` is to make, and where it may take it from.

    source: a repository that may have the bundle under its key, signed by who is trusted. push:
    put it there if not.
    """

    output: Path | None
    oci: Path | None
    source: str | None
    push: bool
    level: int
    trusted: Trusted


class Unsuitable(Exception):
    """No failure but a reason to pack: the registry's bundle is sound, and not what is wanted."""


def pack(request: packing.Request, console: Console, wanted: Wanted) -> None:
    """Pack, or take from the registry what is there; then push, and write the image layout."""
    source = None if wanted.source is None else parse_reference(wanted.source)
    if source is not None and (source.tag or source.digest):
        raise UsageError("--from names a repository: the tag is the key of the lockfiles")
    if wanted.push and source is None:
        raise UsageError("--push needs --from", fix="Name the repository with --from.")
    if wanted.oci is not None and wanted.output is not None:
        outputs = {Path("-") if is_stdout(path) else path for path in (wanted.oci, wanted.output)}
        if len(outputs) == 1:
            raise UsageError("--oci and --output name the same file")

    with _place_for(wanted) as (bundle, shown):

        def elsewhere(key: str, mtime: int) -> packing.Made | None:
            if source is None:
                return None
            check = _suitable(request, mtime)
            return _taken(source.at(tag=key), bundle, check, wanted.trusted, request, console)

        made = packing.make(request, console, bundle, wanted.level, elsewhere)
        more: dict[str, Json] = {}
        pulled = "pulled" in made.details
        push_too = wanted.push and not pulled
        beside = shown if wanted.oci is None or wanted.output is not None else None
        signed = None
        if pulled:
            keep_beside(beside, made.signature, console)
        else:
            signed = sign_made(request.sign_with, made.id, beside, request.team_store, console)
        if wanted.oci is not None or push_too:
            with open_bundle(bundle) as opened:
                image = image_of(opened)
            if wanted.oci is not None:
                with placed(wanted.oci, "image.tar") as layout:
                    written = write_layout(layout, image, bundle)
                more["oci"] = {"path": str(wanted.oci), "digest": image.digest}
                state = "" if written else " (there already)"
                console.say(f"{wanted.oci}: image {image.digest}{state}")
            if push_too and source is not None:
                reference = source.at(tag=image.key)
                pushed = push_image(reference, image, bundle, False, signed, console, request.host)
                pinned = str(reference.at(tag=image.key, digest=image.digest))
                more["pushed"] = pushed
                more["reference"] = pinned
                console.say(f"{pinned}: {how_pushed(pushed, image)}")
    packing.tell(console, shown, made, more)


@contextmanager
def _place_for(wanted: Wanted) -> Iterator[tuple[Path, Path]]:
    """Where the bundle is written, and the name it is shown under."""
    if wanted.output is not None or wanted.oci is None:
        output = wanted.output or DEFAULT_OUTPUT
        with placed(output, file_name(output)) as bundle:
            yield bundle, output
        return
    stream = is_stream(wanted.oci)
    layout = Path(tempfile.gettempdir(), "image.tar") if stream else real_path(wanted.oci)
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


def _suitable(request: packing.Request, mtime: int) -> Callable[[Bundle], None]:
    def check(bundle: Bundle) -> None:
        if bundle.manifest.mtime != mtime:
            raise Unsuitable("its files have another time (SOURCE_DATE_EPOCH)")
        if not still_allowed(bundle.manifest.head.artifacts, request.policy):
            raise Unsuitable("it has packages that were let in by name, and are not now")
        if request.licenses.refused(bundle.manifest.head.artifacts):
            raise Unsuitable("it has packages under licences that are not permitted")

    return check


def _taken(
    reference: Reference,
    output: Path,
    check: Callable[[Bundle], None],
    trusted: Trusted,
    request: packing.Request,
    console: Console,
) -> packing.Made | None:
    """The bundle from the registry; None, and a word on why, if it is to be packed."""
    try:
        pulled, _ = pull_image(
            reference, output, check, trusted, request.store_dir, console, request.host
        )
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
    summary = how_pulled(pulled)
    return packing.Made(pulled.id, pulled.key, summary, details, pulled.signature)
