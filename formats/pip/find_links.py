"""pip's `--find-links`: pages that list files of many projects, and folders of the project.

Files of a folder are the project's own: they come to the target with it, where pip looks into the
folder that the requirements file names, as it does here. So nothing of them is packed.
"""

from __future__ import annotations

from collections.abc import Iterable

from vendorpack.dataclass import dataclass
from vendorpack.formats._shared.python import wheels
from vendorpack.formats._shared.python.distributions import Release
from vendorpack.formats._shared.python.index import without_userinfo
from vendorpack.formats._shared.python.pip_config import login_of
from vendorpack.formats._shared.python.wheels import release_of
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.model import Warning
from vendorpack.project import Project
from vendorpack.redact import redact_url


@dataclass(frozen=True, slots=True)
class FindLinks:
    """Where files lie beside the indexes.

    pages: addresses without userinfo. logins: (address, Authorization header) of those that had
    some. folders: relative to the lockfile's. warnings: about the others.
    """

    project: Project
    pages: tuple[str, ...]
    logins: tuple[tuple[str, str], ...]
    folders: tuple[str, ...]
    warnings: tuple[Warning, ...]

    def own_files(self, release: Release) -> tuple[str, ...] | None:
        """The project's files that the release's targets install; None if they do not do."""
        held = [
            name
            for folder in self.folders
            for name in self.project.files(folder)
            if (version := release_of(name, release.name)) is not None
            and str(version) == release.version
            and self.project.has_any(f"{folder}/{name}", release.integrity.digests)
        ]
        chosen, missing = wheels.choose(
            held,
            release.targets,
            filename=str,
            wheels=release.binary.allows_wheels(release.name),
            sdists=release.binary.allows_sdists(release.name),
        )
        return chosen if chosen and not missing else None


def find_links(
    project: Project,
    written: Iterable[tuple[str, str]],
    configured: Iterable[tuple[str, str]],
) -> FindLinks:
    """Sort what requirements files and the configuration have, each with where it stands.

    A folder of the configuration's is not one of the project: the target need not have it.
    """
    pages: list[str] = []
    logins: list[tuple[str, str]] = []
    folders: list[str] = []
    warnings: list[Warning] = []
    own = [*written]
    for text, where in (*own, *configured):
        if is_http(text):
            page = without_userinfo(text)
            pages.append(page)
            if (login := login_of(text)) is not None:
                logins.append((page, login))
        elif (text, where) not in own or _is_outside(text):
            said = f"find-links outside of the project is not followed: {redact_url(text)}"
            warnings.append(Warning(said, where))
        else:
            folders.append(text)
    return FindLinks(
        project,
        tuple(dict.fromkeys(pages)),
        tuple(logins),
        tuple(dict.fromkeys(folders)),
        tuple(warnings),
    )


def _is_outside(text: str) -> bool:
    return "://" in text or text.startswith(("/", "~")) or ".." in text.split("/")
