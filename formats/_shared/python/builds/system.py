"""What a source needs to be built (PEP 517, 518), read without running any of its code.

- `[build-system] requires` of `pyproject.toml`; without that table the default that pip has,
  `setuptools>=40.8.0` and `wheel`.
- What backends add by a hook, as far as it is written down: `setup_requires` of `setup.cfg` and,
  if it is a literal, of `setup.py`, and what `backends` knows.
- The `Cargo.lock` of what is built with Rust, and what `downloads` finds.

What a build computes beyond that cannot be known: it is said that it may, with the requirements
that its code has written down, and users name them.
"""

from __future__ import annotations

import configparser
import dataclasses
import json
import posixpath
import re
from collections.abc import Sequence
from itertools import islice
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.python.builds.backends import (
    SETUPTOOLS,
    asked_of,
    is_known,
    is_text_list,
    known_in,
)
from vendorpack.formats._shared.python.builds.downloads import downloads_of, says_downloads
from vendorpack.formats._shared.python.builds.files import Files, Wanted, read_files
from vendorpack.formats._shared.python.builds.scripts import hook_requires, read_setup_script
from vendorpack.formats._shared.python.index import normalize
from vendorpack.formats._shared.text.toml_text import load_toml
from vendorpack.model import Blob
from vendorpack.room import Workshop

LEGACY_REQUIRES: Final = ("setuptools>=40.8.0", "wheel")
"""What pip installs for a source without `[build-system]`."""

_RECIPE: Final = "python-build-system-6"
_PYPROJECT: Final = "pyproject.toml"
_SETUP_CFG: Final = "setup.cfg"
_SETUP_PY: Final = "setup.py"
_MANIFESTS: Final = (_PYPROJECT, _SETUP_CFG, _SETUP_PY)
_CARGO_LOCK: Final = "Cargo.lock"
_MOST_DOWNLOADS: Final = 20
_RUST: Final = frozenset({"maturin", "setuptools-rust"})


@dataclass(frozen=True, slots=True)
class BuildSystem:
    """Requirements, as they are written.

    requires: what is installed before anything of the source runs.
    dynamic: what the backend may ask for then, installed in a second step.
    unknown: why there may be more, which only running the build would tell; empty if there is not.
    hints: further requirements, without white space, that the code which computes it has written
        down.
    downloads: what the build may fetch by itself, and where that is written.
    is_rust: whether cargo is run. cargo_lock: what pins the crates, and its path; empty if the
        source has none.
    """

    requires: tuple[str, ...]
    dynamic: tuple[str, ...] = ()
    unknown: str = ""
    hints: tuple[str, ...] = ()
    downloads: tuple[str, ...] = ()
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
        def read(wanted: Wanted) -> Files:
            return read_files(
                data,
                wanted,
                filename=filename,
                id_size=id_size,
                subdirectory=subdirectory,
                label=label,
            )

        path = f"{label}: {_PYPROJECT}"
        files = read(_matters)
        try:
            backends = own_backends(files, path)
            scripts = read(lambda name: _is_script_of(name, backends)) if backends else {}
            found = build_system_of({**scripts, **files}, path)
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
    kept |= {name: tuple(value) for name, value in kept.items() if isinstance(value, list)}
    return BuildSystem(**kept)


def own_backends(files: Files, path: str) -> tuple[str, ...]:
    """Where the code of a backend may lie that is the project's own: paths without a suffix.

    Raises `LockfileError` for a `pyproject.toml` that is none.
    """
    table = load_toml(files.get(_PYPROJECT, b""), path).get("build-system")
    folders = table.get("backend-path") if isinstance(table, dict) else None
    if not isinstance(table, dict) or not is_text_list(folders):
        return ()
    root = _root(table.get("build-backend"))
    return tuple(posixpath.normpath(posixpath.join(folder, root)) for folder in folders)


def build_system_of(files: Files, path: str) -> BuildSystem:
    """What the project whose files these are needs. path: how errors name its `pyproject.toml`.

    Raises `LockfileError` for one that no client could use.
    """
    script = read_setup_script(files.get(_SETUP_PY, b""))
    setup_requires = (*_setup_requires(files.get(_SETUP_CFG, b"")), *script.literal)
    unknown = "its setup.py computes setup_requires" if script.is_computed else ""
    hints = script.hints
    document = load_toml(files.get(_PYPROJECT, b""), path)
    table = document.get("build-system")
    if table is None:
        return _system(LEGACY_REQUIRES, setup_requires, unknown, hints, files)
    requires = table.get("requires") if isinstance(table, dict) else None
    if not is_text_list(requires):
        raise LockfileError("its [build-system] has no list of requirements", where=path)
    backend = table.get("build-backend")
    root = _root(backend)
    own = own_backends(files, path)
    scripts = [files[name] for name in sorted(files) if _is_script_of(name, own)]
    # A backend of the project's own mostly hands on what another one answers.
    roots = {root, *(name for script in scripts for name in known_in(script))}
    dynamic = [requirement for name in sorted(roots) for requirement in asked_of(name, document)]
    if roots & SETUPTOOLS:
        dynamic += setup_requires
    else:
        unknown, hints = "", ()
    if own:
        hooked = hook_requires(scripts)
        if hooked is not None or not scripts:
            unknown = f"its build backend {backend} is code of its own"
            hints = (*hints, *(hooked or ()))
    elif not is_known(root):
        unknown = f"its build backend {backend} is not known here"
    return _system(requires, dynamic, unknown, hints, files)


def _system(
    requires: Sequence[str],
    dynamic: Sequence[str],
    unknown: str,
    hints: Sequence[str],
    files: Files,
) -> BuildSystem:
    asked = (*requires, *dynamic)
    is_rust = not _RUST.isdisjoint(map(_name, asked))
    locks = [name for name in files if name.rpartition("/")[2] == _CARGO_LOCK]
    # The others are of crates that lie in the source.
    cargo_path = min(locks, key=lambda name: (name.count("/"), name), default="") if is_rust else ""
    return BuildSystem(
        requires=tuple(requires),
        dynamic=tuple(dict.fromkeys(dynamic)),
        unknown=unknown,
        hints=_further(hints, asked),
        downloads=tuple(islice(downloads_of(files, {*map(_name, asked)}), _MOST_DOWNLOADS)),
        is_rust=is_rust,
        cargo_lock=files[cargo_path].decode("utf-8", "replace") if cargo_path else "",
        cargo_path=cargo_path,
    )


def _root(backend: object) -> str:
    """The top module of a backend; setuptools' is the default."""
    if not isinstance(backend, str):
        return "setuptools"
    return backend.partition(":")[0].partition(".")[0]


def _further(hints: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """The hints whose names are not asked for anyway; the name alone where versions differ."""
    found: dict[str, str] = {}
    for hint in hints:
        name = _name(hint)
        found[name] = hint if found.get(name, hint) == hint else name
    return tuple(found[name] for name in found if name not in {*map(_name, asked)})


def _name(requirement: str) -> str:
    found = re.match(r"[\w.-]*", requirement.strip())
    return normalize(found[0] if found else "")


def _matters(path: str) -> bool:
    return path in _MANIFESTS or path.rpartition("/")[2] == _CARGO_LOCK or says_downloads(path)


def _is_script_of(path: str, backends: Sequence[str]) -> bool:
    return path.endswith(".py") and any(
        path == f"{backend}.py" or path.startswith(f"{backend}/") for backend in backends
    )


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
