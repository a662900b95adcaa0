"""Configuration dependencies: the folders pnpm 11 looks in, and what pnpm 10 cannot have."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.pnpm.locks import project, read
from vendorpack.formats.pnpm.artifacts import PnpmArtifact
from vendorpack.formats.pnpm.config_dependencies import warnings
from vendorpack.model import Artifact

POSITIVE = (
    "sha512-8ND1j3y9/HP94TOvGzr69/FgbkX2ruOldhLEsTWwcJVfo4oRjwemJmJxt7RJkKYH8tz7vYBP9JcK"
    "QY8CLuJ90Q=="
)
LOCK = f"""\
lockfileVersion: '9.0'
importers:
  .:
    configDependencies:
      is-positive: {{specifier: 3.1.0, version: 3.1.0}}
packages:
  is-positive@3.1.0:
    resolution: {{integrity: {POSITIVE}}}
snapshots:
  is-positive@3.1.0: {{}}
"""
FOLDER = "@/is-positive/3.1.0/046d46f4141af5c27aa7f057ced7d1881cb9c2be653be90102e439d84e211560"
"""As pnpm 11.28.11 names it."""
OPTIONAL = f"""\
lockfileVersion: '9.0'
importers:
  .:
    configDependencies:
      '@s/conf': {{specifier: 1.0.0, version: 1.0.0}}
packages:
  '@s/conf@1.0.0':
    resolution: {{integrity: {POSITIVE}}}
  mac@1.0.0:
    resolution: {{integrity: {POSITIVE}}}
    os: [darwin]
  unix@1.0.0:
    resolution: {{integrity: {POSITIVE}}}
    os: [linux]
snapshots:
  '@s/conf@1.0.0': {{optionalDependencies: {{unix: 1.0.0, mac: 1.0.0}}}}
  mac@1.0.0: {{optional: true}}
  unix@1.0.0: {{optional: true}}
"""


def link(artifact: Artifact) -> str:
    assert isinstance(artifact, PnpmArtifact)
    return artifact.link


def test_folders(tmp_path: Path) -> None:
    (positive,) = read(tmp_path, LOCK).artifacts
    assert link(positive) == FOLDER


def test_optional_dependencies_are_in_the_folders_name_wherever_they_fit(tmp_path: Path) -> None:
    conf, unix = read(tmp_path, OPTIONAL).artifacts
    assert link(conf).startswith("@s/conf/1.0.0/")
    assert link(unix).startswith("@/unix/1.0.0/")
    fewer, same = read(tmp_path, OPTIONAL.replace(", mac: 1.0.0", "")).artifacts
    assert link(same) == link(unix)
    assert link(fewer) != link(conf)
    swapped = OPTIONAL.replace("unix: 1.0.0, mac: 1.0.0", "mac: 1.0.0, unix: 1.0.0")
    assert link(read(tmp_path, swapped).artifacts[0]) == link(conf)


def test_other_dependencies_have_no_folder(tmp_path: Path) -> None:
    (positive,) = read(tmp_path, LOCK.replace("configDependencies", "dependencies")).artifacts
    assert link(positive) == ""


@pytest.mark.parametrize(
    ("stores", "workspace", "said"),
    [
        (("v3", "v10"), "packages: []\nconfigDependencies:\n  b: 1.0.0\n  a: 1.0.0\n", True),
        (("v11",), "configDependencies:\n  a: 1.0.0\n", False),
        (("v10",), "configDependencies: {}\n", False),
        (("v10",), "packages: ['configDependencies']\n", False),
    ],
)
def test_pnpm_10_is_warned_of(
    stores: tuple[str, ...], workspace: str, said: bool, tmp_path: Path
) -> None:
    found = warnings(project(tmp_path, LOCK, workspace=workspace), stores)
    assert bool(found) == said
    if said:
        assert "configDependencies (a, b)" in found[0].what
        assert found[0].where == "pnpm-workspace.yaml:2"
