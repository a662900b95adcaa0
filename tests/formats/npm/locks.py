"""Projects with an npm lockfile, and what the room makes of them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from vendorpack.formats.npm import FORMAT
from vendorpack.formats.npm.artifacts import NpmArtifact
from vendorpack.model import Lockfile, Options
from vendorpack.project import Host, Project
from vendorpack.target import parse_target

REGISTRY = "https://registry.npmjs.org/"
LINUX = parse_target("linux-x86_64-gnu")


def sri(data: bytes, algorithm: str = "sha512") -> str:
    digest = hashlib.new(algorithm, data, usedforsecurity=False).digest()
    return f"{algorithm}-{base64.b64encode(digest).decode()}"


def entry(package: str, version: str = "1.0.0", /, **more: object) -> dict[str, object]:
    """An entry as npm 7 writes it; a field that is None is left out."""
    base = package.rpartition("/")[2]
    fields = {
        "version": version,
        "resolved": f"{REGISTRY}{package}/-/{base}-{version}.tgz",
        "integrity": sri(f"{package}@{version}".encode()),
        **more,
    }
    return {key: value for key, value in fields.items() if value is not None}


def v3(packages: Mapping[str, object]) -> dict[str, object]:
    """A whole lockfile; keys are folders below node_modules, or of the project if they end in /."""
    root: dict[str, object] = {"": {"name": "project"}}
    for key, value in packages.items():
        root[key.rstrip("/") if key.endswith("/") else f"node_modules/{key}"] = value
    return {"name": "project", "lockfileVersion": 3, "requires": True, "packages": root}


def v1(dependencies: Mapping[str, object]) -> dict[str, object]:
    return {"name": "project", "lockfileVersion": 1, "dependencies": dependencies}


def project(
    folder: Path,
    lock: bytes | dict[str, Any],
    *,
    npmrc: str = "",
    name: str = "package-lock.json",
    environ: Mapping[str, str] | None = None,
) -> Project:
    """A project on disk, with nothing of this machine's configuration."""
    data = lock if isinstance(lock, bytes) else json.dumps(lock, indent=2).encode()
    (folder / name).write_bytes(data)
    (folder / ".npmrc").write_text(npmrc)
    environment = {"PREFIX": str(folder / "no-prefix"), **(environ or {})}
    return Project(folder, PurePosixPath(name), Host(environment, folder / "home", "linux"))


def read(project: Project, options: Options | None = None) -> Lockfile:
    return FORMAT.read(project, options or Options())


def artifacts(project: Project, options: Options | None = None) -> list[NpmArtifact]:
    found = []
    for artifact in read(project, options).artifacts:
        assert isinstance(artifact, NpmArtifact)
        found.append(artifact)
    return found
