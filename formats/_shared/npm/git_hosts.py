"""The git hosts that JavaScript clients know, and whose archives they take in place of cloning.

Facts: `hosted-git-info` 8 to 10 (npm 10 to 12), and the addresses of archives that pnpm 8 to 12 and
Yarn 1 write into lockfiles. This is the only place that names these hosts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote

from vendorpack.dataclass import dataclass

_COMMIT: Final = r"(?P<commit>[0-9a-f]{40})"
_SPEC: Final = re.compile(
    r"(?:(?P<shortcut>github|gitlab|bitbucket|gist|sourcehut):"
    r"|(?:(?P<scheme>git\+ssh|git\+https|ssh|https|http|git)://(?:git@)?|git@)"
    r"(?:www\.)?(?P<domain>[\w.-]+)[/:])"
    rf"(?P<path>[\w~./-]+?)(?:\.git)?#{_COMMIT}",
    re.ASCII,
)
_ARCHIVES: Final = tuple(
    (host, re.compile(pattern, re.ASCII))
    for host, pattern in (
        ("gist", rf"https://codeload\.github\.com/gist/(?P<path>[\w-]+)/tar\.gz/{_COMMIT}"),
        ("github", rf"https://codeload\.github\.com/(?P<path>[\w.-]+/[\w.-]+)/tar\.gz/{_COMMIT}"),
        ("bitbucket", rf"https://bitbucket\.org/(?P<path>[\w.-]+/[\w.-]+)/get/{_COMMIT}\.tar\.gz"),
        (
            "gitlab",
            rf"https://gitlab\.com/(?P<path>[\w./-]+?)/-/archive/{_COMMIT}/[\w.-]+\.tar\.gz",
        ),
        (
            "gitlab",
            r"https://gitlab\.com/(?P<path>[\w./-]+?)/repository/archive\.tar\.gz"
            rf"\?ref={_COMMIT}",
        ),
        (
            "gitlab",
            r"https://gitlab\.com/api/v4/projects/(?P<path>[\w.%-]+)/repository/archive\.tar\.gz"
            rf"\?(?:ref|sha)={_COMMIT}",
        ),
    )
)
_DOMAINS: Final[Mapping[str, str]] = {
    "github": "github.com",
    "gitlab": "gitlab.com",
    "bitbucket": "bitbucket.org",
    "gist": "gist.github.com",
    "sourcehut": "git.sr.ht",
}
_DEPTHS: Final = {"github": (2, 2), "bitbucket": (2, 2), "gist": (1, 2), "sourcehut": (2, 2)}
"""How many parts a path has, at least and at most; of GitLab's groups there may be many."""
_ANY_DEPTH: Final = (2, 32)


@dataclass(frozen=True, slots=True)
class HostedCommit:
    """A commit on a host that is known. `path`: owner and repository, or a gist's id."""

    host: str
    path: str
    commit: str

    @property
    def repositories(self) -> tuple[str, str]:
        """Where to clone it from, in npm's order: as anybody may, and for who has a key."""
        place = f"{_DOMAINS[self.host]}/{self.path}{'' if self.host == 'sourcehut' else '.git'}"
        return f"https://{place}", f"ssh://git@{place}"

    @property
    def archives(self) -> tuple[str, ...]:
        """Where npm 10 to 12 ask for the commit's archive."""
        domain, path, commit = _DOMAINS[self.host], self.path, self.commit
        if self.host == "github":
            return (f"https://codeload.github.com/{path}/tar.gz/{commit}",)
        if self.host == "gist":
            return (f"https://codeload.github.com/gist/{path}/tar.gz/{commit}",)
        if self.host == "bitbucket":
            return (f"https://{domain}/{path}/get/{commit}.tar.gz",)
        if self.host == "sourcehut":
            return (f"https://{domain}/{path}/archive/{commit}.tar.gz",)
        project = quote(path, safe="")
        return (
            f"https://{domain}/{path}/repository/archive.tar.gz?ref={commit}",
            f"https://{domain}/api/v4/projects/{project}/repository/archive.tar.gz?sha={commit}",
        )


def hosted_commit(spec: str) -> HostedCommit | None:
    """What a git dependency names: `git+ssh://git@github.com/o/r.git#<commit>`, `gitlab:o/r#…`.

    None if the host is not known, or the commit is not given in full.
    """
    match = _SPEC.fullmatch(spec)
    if match is None:
        return None
    host = match["shortcut"] or _host_of(match["domain"])
    if host is None or not _taken(host, match["scheme"]):
        return None
    return _commit(host, match["path"], match["commit"])


def hosted_archive(url: str) -> HostedCommit | None:
    """The commit that a host makes an archive of; None if it is not one's address."""
    for host, pattern in _ARCHIVES:
        match = pattern.fullmatch(url)
        if match is not None:
            return _commit(host, unquote(match["path"]), match["commit"])
    return None


def is_known_host(domain: str) -> bool:
    """Whether clients know the git host of that name."""
    return _host_of(domain.removeprefix("www.")) is not None


def _host_of(domain: str) -> str | None:
    return next((host for host, name in _DOMAINS.items() if name == domain), None)


def _taken(host: str, scheme: str | None) -> bool:
    """Whether clients see the host in an address of this scheme (None: there is none)."""
    if scheme in (None, "git+ssh"):
        return True
    if scheme in ("git", "http"):
        return host == "github" or (host == "gist" and scheme == "git")
    return host != "sourcehut" or scheme == "https"


def _commit(host: str, path: str, commit: str) -> HostedCommit | None:
    parts = path.split("/")
    least, most = _DEPTHS.get(host, _ANY_DEPTH)
    if not least <= len(parts) <= most or any(part in ("", ".", "..") for part in parts):
        return None
    return HostedCommit(host, parts[-1] if host == "gist" else path, commit)
