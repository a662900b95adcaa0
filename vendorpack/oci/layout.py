"""An image layout on disk: a folder, or one tar of it. It holds one image and is replaced whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from vendorpack.bundle import tar
from vendorpack.errors import FetchError, TargetError
from vendorpack.files import temporary
from vendorpack.files.disk import real_path, sha256_of, storage_error
from vendorpack.key import canonical_json
from vendorpack.model import Json
from vendorpack.oci.image import (
    INDEX_TYPE,
    REF_NAME,
    Descriptor,
    Image,
    is_digest,
    parse_manifest,
)

_MARKER: Final = "oci-layout"
_INDEX: Final = "index.json"
_BLOBS: Final = "blobs"
_LOADED_NAME: Final = "io.containerd.image.name"
"""What containerd and podman call an image that they load; `docker save` writes it too."""
_MAX_DOCUMENT: Final = 4 << 20
_COPY: Final = 1 << 20


def is_tar(path: Path) -> bool:
    """Whether an output's name asks for one file."""
    return path.suffix == ".tar"


def write_layout(path: Path, image: Image, bundle: Path) -> bool:
    """Write the image at `path`; False if it is there already. `bundle` is its layer.

    A folder there is replaced if it is a layout of one image, and refused otherwise. Raises
    `TargetError`, `StoreError`.
    """
    path = real_path(path)
    with _storage_errors(path):
        if is_tar(path):
            _write_tar(path, image, bundle)
            return True
        if _holds(path, image):
            return False
        _write_folder(path, image, bundle)
        return True


def bundle_in(path: Path) -> Path | None:
    """The layer of a layout's only image; None if there is none, or it makes no sense."""
    try:
        manifests = json.loads(_read(path / _INDEX))["manifests"]
        if len(manifests) != 1:
            return None
        if not is_digest(manifests[0]["digest"]):
            return None
        blobs = path / _BLOBS / "sha256"
        manifest = blobs / manifests[0]["digest"].removeprefix("sha256:")
        layer = blobs / parse_manifest(_read(manifest), str(manifest)).hex
    except (OSError, ValueError, RecursionError, KeyError, TypeError, FetchError):
        return None
    return layer if layer.is_file() else None


def _documents(image: Image, annotations: Mapping[str, str]) -> dict[str, bytes]:
    """Path to content of all that is not the layer. annotations: further ones, in the index."""
    entry: dict[str, Json] = {
        **image.descriptor.record(),
        "annotations": {REF_NAME: image.key, **annotations},
    }
    return {
        _MARKER: canonical_json({"imageLayoutVersion": "1.0.0"}),
        _INDEX: canonical_json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [entry]}),
        _blob(image.config_descriptor): image.config,
        _blob(image.descriptor): image.manifest,
    }


def _blob(descriptor: Descriptor) -> str:
    return f"{_BLOBS}/sha256/{descriptor.hex}"


def _holds(path: Path, image: Image) -> bool:
    """Whether the folder holds just this image, every byte of it."""
    try:
        for name, content in _documents(image, {}).items():
            if _read(path / name) != content:
                return False
        with (path / _blob(image.layer)).open("rb") as file:
            return sha256_of(file.fileno()) == image.layer.hex
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False


def _write_folder(path: Path, image: Image, bundle: Path) -> None:
    _refuse_other(path)
    temporary.sweep(path.parent, path.name)
    stage, fd = temporary.create_folder(path.parent, path.name)
    try:
        made = stage / "layout"
        (made / _BLOBS / "sha256").mkdir(parents=True)
        for name, content in _documents(image, {}).items():
            with (made / name).open("xb") as file:
                file.write(content)
                _sync(file)
        with (made / _blob(image.layer)).open("xb") as file:
            _append(file, bundle)
            _sync(file)
        if path.exists():
            path.rename(stage / "old")
        made.rename(path)
    finally:
        temporary.remove(stage)
        os.close(fd)


def _refuse_other(path: Path) -> None:
    """Refuse to replace anything but an empty folder or a layout of one image."""
    if not path.exists():
        return
    try:
        names = {entry.name for entry in path.iterdir()}
        if not names:
            return
        index = json.loads(_read(path / _INDEX))
        ours = names <= {_MARKER, _INDEX, _BLOBS} and len(index["manifests"]) <= 1
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError, KeyError, TypeError):
        ours = False
    if not ours:
        raise TargetError(
            "there is something else than an image layout with one image",
            where=str(path),
            fix="Name a new folder, or remove this one.",
        )


def _write_tar(path: Path, image: Image, bundle: Path) -> None:
    if path.is_dir():
        raise TargetError("there is a folder where the file is to be", where=str(path))
    name = f"deps:{image.key}"
    documents = _documents(image, {_LOADED_NAME: f"docker.io/library/{name}"})
    # Docker's own archive format reads the same blobs; engines without an image layout need it.
    documents["manifest.json"] = canonical_json(
        [
            {
                "Config": _blob(image.config_descriptor),
                "RepoTags": [name],
                "Layers": [_blob(image.layer)],
            }
        ]
    )
    temporary.sweep(path.parent, path.name)
    temporary_name, fd = temporary.create_file(path)
    try:
        with open(fd, "wb") as out:
            for member, content in documents.items():
                out.write(tar.header(member, len(content), 0o644, 0))
                out.write(content + tar.padding(len(content)))
            out.write(tar.header(_blob(image.layer), image.layer.size, 0o644, 0))
            _append(out, bundle)
            out.write(tar.padding(image.layer.size) + tar.END)
            _sync(out)
            temporary.publish(temporary_name, path)
    except BaseException:
        temporary.remove(temporary_name)
        raise


def _append(out: IO[bytes], source: Path) -> None:
    with source.open("rb") as file:
        shutil.copyfileobj(file, out, _COPY)


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _read(path: Path) -> bytes:
    """A small file of a layout. Raises `OSError`, `ValueError` for a large one."""
    with path.open("rb") as file:
        data = file.read(_MAX_DOCUMENT + 1)
    if len(data) > _MAX_DOCUMENT:
        raise ValueError("too large")
    return data


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from None
