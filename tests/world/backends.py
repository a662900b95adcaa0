"""A build backend of few lines, to be published as a wheel or to lie in a source."""

from __future__ import annotations

from tests.world.distributions import installable_wheel, sdist

_BACKEND = """import pathlib
import re
import zipfile


def build_wheel(folder, settings=None, metadata=None):
    text = pathlib.Path("pyproject.toml").read_text()
    name = re.search("name *= *.([a-z]+)", text)[1]
    info = f"{name}-1.0.0.dist-info/"
    files = {
        name + ".py": "NAME = 'MADE'\\n",
        info + "METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0.0\\n",
        info + "WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\n"
        "Tag: py3-none-any\\n",
        info + "RECORD": "",
    }
    wheel = f"{name}-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{wheel}", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


build_editable = build_wheel
"""


def backend(made: str) -> bytes:
    """A module that builds wheels of version 1.0.0 whose one module says `made` as its NAME."""
    return _BACKEND.replace("MADE", made).encode()


def backend_wheel(name: str, version: str, made: str) -> tuple[str, bytes]:
    """The backend as the module of a wheel: its file name and content."""
    files = {f"{name}.py": backend(made)}
    return f"{name}-{version}-py3-none-any.whl", installable_wheel(name, version, files)


def source(name: str, requires: str, build_backend: str) -> tuple[str, bytes]:
    """An sdist of version 1.0.0 that is built so: its file name and content."""
    files = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n".encode(),
        "pyproject.toml": manifest(name, requires, build_backend).encode(),
    }
    return f"{name}-1.0.0.tar.gz", sdist(name, "1.0.0", files)


def manifest(name: str, requires: str, build_backend: str) -> str:
    """The pyproject.toml of a project that is built so."""
    return f"""[project]
name = "{name}"
version = "1.0.0"
[build-system]
requires = ["{requires}"]
build-backend = "{build_backend}"
"""
