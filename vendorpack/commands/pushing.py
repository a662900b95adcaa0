"""push: a bundle into a container registry, as an image."""

from __future__ import annotations

from pathlib import Path

from vendorpack import eventloop
from vendorpack import signature as signatures
from vendorpack.bundle.reader import open_bundle
from vendorpack.commands.repositories import open_repository
from vendorpack.console import Console
from vendorpack.errors import (
    BundleError,
    FetchError,
    UsageError,
)
from vendorpack.files.pipes import is_stream
from vendorpack.machine import cores
from vendorpack.oci.image import Image, digest_of, image_of
from vendorpack.oci.reference import Reference, parse_reference
from vendorpack.oci.registry import Repository
from vendorpack.oci.signatures import attach
from vendorpack.progress import Progress, human
from vendorpack.project import Host


def push(
    path: Path,
    target: str,
    replace: bool,
    signature: Path | None,
    console: Console,
    host: Host,
) -> None:
    """Put a bundle into a registry, under its key unless the target has a tag.

    signature: the bundle's, to be attached to its image; else the one beside it, if there is one.
    """
    reference = parse_reference(target)
    if reference.digest:
        raise UsageError("a bundle is pushed to a tag, not to a digest")
    if is_stream(path):
        raise UsageError("a bundle is pushed from a file, not from a pipe", where=str(path))
    with open_bundle(path) as bundle:
        bundle.verify(jobs=cores())
        image = image_of(bundle)
        bundle_id = bundle.id
    if signature is None and signatures.beside(path).exists():
        signature = signatures.beside(path)
    signed = None if signature is None else signatures.read(bundle_id, signature)
    reference = reference.at(tag=reference.tag or image.key)
    pushed = push_image(reference, image, path, replace, signed, console, host)
    pinned = str(reference.at(tag=reference.tag, digest=image.digest))
    console.say(f"{pinned}: {how_pushed(pushed, image)}")
    if signature is not None:
        console.say(f"{pinned}: signed, by {signature}")
    if console.as_json:
        console.answer_json(
            {
                "reference": pinned,
                "digest": image.digest,
                "id": bundle_id,
                "key": image.key,
                "pushed": pushed,
                "signed": signed is not None,
            }
        )
    else:
        console.report(pinned)


def push_image(
    reference: Reference,
    image: Image,
    bundle: Path,
    replace: bool,
    signature: bytes | None,
    console: Console,
    host: Host,
) -> bool:
    """Whether the image had to be pushed. signature: what is attached to it, if it lacks that."""

    async def run() -> bool:
        async with open_repository(reference, Progress(console), console, host, True) as repository:
            pushed = await _push_to(repository, image, bundle, replace)
            if signature is not None:
                await attach(repository, image, signature)
            return pushed

    return eventloop.run(run())


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


def how_pushed(pushed: bool, image: Image) -> str:
    """A line on what had to be done."""
    return f"{human(image.layer.size)} pushed" if pushed else "there already: nothing to do"
