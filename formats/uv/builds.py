"""What uv needs to build sources: of packages without a wheel, of commits, of the project itself.

Build requirements are in no uv.lock. They are found as the sources say (PEP 517, 518), newest
versions first, within the lockfile's `build-constraints`, and packed as wheels that uv finds by
`UV_FIND_LINKS`. `uv sync` builds the project's own packages too; what they need is read from
the `pyproject.toml` of each, where it is there.
"""

from __future__ import annotations

from vendorpack.dataclass import dataclass
from vendorpack.formats._shared.git.repository import commit_of
from vendorpack.formats._shared.python.builds.wheels import Material
from vendorpack.formats.uv.choose import UvArtifact
from vendorpack.model import Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequirement(Artifact):
    """A wheel that sources are built with. filename: its name in the flat folder."""

    filename: str


def material_of(artifact: Artifact) -> Material:
    """What counts of an artifact when something is built."""
    if isinstance(artifact, BuildRequirement):
        return Material(artifact.filename)
    assert isinstance(artifact, UvArtifact)
    commit = "" if artifact.filename else commit_of(artifact).hex()
    return Material(artifact.filename, commit, artifact.subdirectory, artifact.built_for)
