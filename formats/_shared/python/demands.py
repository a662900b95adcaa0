"""What installs of Python clients need of their machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from vendorpack.demands import Client, Contents, Demand, Glibc, Library, Tool, Trap
from vendorpack.formats._shared.python.index import normalize
from vendorpack.formats._shared.python.wheels import is_sdist, is_wheel

_MANYLINUX: Final = re.compile(r"manylinux_2_(\d+)_(\w+)")
_OLD_NAMES: Final = (
    (re.compile(r"manylinux1_(\w+)"), 5),
    (re.compile(r"manylinux2010_(\w+)"), 12),
    (re.compile(r"manylinux2014_(\w+)"), 17),
)
"""PEP 600's equivalents of the names before it."""
_RUNTIME: Final = re.compile(r"-py(\d+)\.(\d+)")
_SHOWN: Final = 3

_LIBPQ: Final = (("libpq-fe.h", "postgresql/libpq-fe.h"), "libpq-dev")
_HDF5: Final = (("hdf5.h", "hdf5/serial/hdf5.h"), "libhdf5-dev")
_LIBRARIES: Final[Mapping[str, tuple[tuple[tuple[str, ...], str], ...]]] = {
    "cffi": ((("ffi.h",), "libffi-dev"),),
    "cryptography": ((("openssl/ssl.h",), "libssl-dev"),),
    "gssapi": ((("gssapi/gssapi.h",), "libkrb5-dev"),),
    "h5py": (_HDF5,),
    "lxml": (
        (("libxml2/libxml/xmlversion.h", "libxml/xmlversion.h"), "libxml2-dev"),
        (("libxslt/xslt.h",), "libxslt1-dev"),
    ),
    "mysqlclient": (
        (("mysql/mysql.h", "mariadb/mysql.h", "mysql.h"), "default-libmysqlclient-dev"),
    ),
    "pillow": ((("jpeglib.h",), "libjpeg-dev"), (("zlib.h",), "zlib1g-dev")),
    "psycopg-c": (_LIBPQ,),
    "psycopg2": (_LIBPQ,),
    "pycairo": ((("cairo/cairo.h", "cairo.h"), "libcairo2-dev"),),
    "pycurl": ((("curl/curl.h",), "libcurl4-openssl-dev"),),
    "pygraphviz": ((("graphviz/cgraph.h",), "libgraphviz-dev"),),
    "pyodbc": ((("sql.h",), "unixodbc-dev"),),
    "python-ldap": ((("ldap.h",), "libldap-dev"), (("sasl/sasl.h",), "libsasl2-dev")),
    "pyzmq": ((("zmq.h",), "libzmq3-dev"),),
    "scipy": ((("cblas.h", "openblas/cblas.h"), "libopenblas-dev"),),
    "tables": (_HDF5,),
}
"""(Normalised) name of an sdist to what it is compiled against: headers, and Debian's package."""
_PROGRAMS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "mysqlclient": (("pkg-config", "pkgconf"), "pkg-config"),
    "psycopg-c": (("pg_config",), "libpq-dev"),
    "psycopg2": (("pg_config",), "libpq-dev"),
    "scipy": (("gfortran", "flang", "flang-new", "ifx", "ifort"), "gfortran"),
}
"""The same of a program that the build starts, any of these."""


def python_demands(contents: Contents) -> Iterator[Demand]:
    """The interpreter, the C library of the wheels, and what sdists may be built with."""
    chosen = sorted(
        {
            (int(match[1]), int(match[2]))
            for options in contents.options
            for target in _list(options.get("targets"))
            if (match := _RUNTIME.search(str(target)))
        }
    )
    wanted = " or ".join(f"{major}.{minor}" for major, minor in chosen)
    yield Client(
        (*(f"python{major}.{minor}" for major, minor in chosen), "python3", "python"),
        tuple((f"{major}.{minor}", f"{major}.{minor + 1}") for major, minor in chosen),
        why="the wheels were chosen for that one",
        otherwise=f"Install Python {wanted}, or pack with the --target of the one that is here."
        if chosen
        else "Install Python.",
    )
    yield from _floors(contents)
    sources = [name for name, file in contents.files() if is_sdist(file)]
    if sources:
        yield Tool(
            ("cc", "gcc", "clang"),
            f"{_some(sources)} {'is' if len(sources) == 1 else 'are'} built from source",
            "If it has C code, install a compiler, such as gcc.",
            is_sure=False,
        )
        # It comes with the headers, in whatever package the system has them.
        yield Tool(
            (*(f"python{major}.{minor}-config" for major, minor in chosen), "python3-config"),
            f"Python's headers, for C code of {_some(sources)}",
            "If it has C code, install them: python3-dev, python3-devel.",
            is_sure=False,
        )
        for name in sources:
            yield from _known(name)


def _known(label: str) -> Iterator[Library | Tool]:
    """What a well-known sdist takes of the system. label: its name and version."""
    name = normalize(label.partition(" ")[0])
    if name in _PROGRAMS:
        programs, package = _PROGRAMS[name]
        why = f"{label} is built with it"
        yield Tool(programs, why, f"Install it: {package} on Debian.", is_sure=False)
    for headers, package in _LIBRARIES.get(name, ()):
        yield Library(
            headers,
            f"{label} is compiled against it",
            f"Install the library with its headers: {package} on Debian.",
        )


def no_binary(contents: Contents) -> Iterator[Demand]:
    """Settings of pip's that make it want files which are not in the bundle."""
    for file in ("~/.config/pip/pip.conf", "~/.pip/pip.conf", "/etc/pip.conf"):
        yield Trap(
            file,
            r"^\s*no-binary\s*[=:]",
            "pip then wants sources, where the bundle has wheels",
            f"Take the line out of {file}.",
        )
    yield Trap(
        "",
        ".",
        "pip then wants sources, where the bundle has wheels",
        "unset PIP_NO_BINARY",
        name="PIP_NO_BINARY",
    )


def _floors(contents: Contents) -> Iterator[Glibc]:
    """By CPU, the oldest glibc with which every package has a wheel that fits."""
    lowest: dict[str, dict[tuple[str, str], int]] = {}
    for name, file in contents.files():
        if not is_wheel(file):
            continue
        python, _, platforms = file.removesuffix(".whl").rsplit("-", 2)
        for minor, cpu in _tags(platforms):
            known = lowest.setdefault(cpu, {})
            known[name, python] = min(minor, known.get((name, python), minor))
    for cpu, found in sorted(lowest.items()):
        floor = max(found.values())
        names = sorted({name for (name, _), minor in found.items() if minor == floor})
        yield Glibc(
            f"2.{floor}",
            cpu,
            f"wheels of {_some(names)}",
            f"Install on a system with glibc 2.{floor} or newer, or pack for this one, with its "
            "version in the --target (linux-x86_64-gnu2.28): older wheels, or sources, are taken.",
        )


def _tags(platforms: str) -> Iterator[tuple[int, str]]:
    for platform in platforms.split("."):
        match = _MANYLINUX.fullmatch(platform)
        if match:
            yield int(match[1]), match[2]
        for pattern, minor in _OLD_NAMES:
            if old := pattern.fullmatch(platform):
                yield minor, old[1]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
