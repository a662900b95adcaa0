"""Which addresses name a commit on a known git host, and where its archive is asked for."""

from __future__ import annotations

import pytest

from vendorpack.formats._shared.npm.git_hosts import (
    HostedCommit,
    hosted_archive,
    hosted_commit,
    is_known_host,
)

C = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("spec", "host", "path"),
    [
        (f"git+ssh://git@github.com/o/r.git#{C}", "github", "o/r"),
        (f"git+https://github.com/o/r.js.git#{C}", "github", "o/r.js"),
        (f"https://www.github.com/o/r#{C}", "github", "o/r"),
        (f"http://github.com/o/r#{C}", "github", "o/r"),
        (f"git://github.com/o/r#{C}", "github", "o/r"),
        (f"git@github.com:o/r.git#{C}", "github", "o/r"),
        (f"git+ssh://git@gitlab.com:o/r.git#{C}", "gitlab", "o/r"),
        (f"gitlab:group/sub/r#{C}", "gitlab", "group/sub/r"),
        (f"git+ssh://git@bitbucket.org/o/r.git#{C}", "bitbucket", "o/r"),
        (f"gist:user/0123abc#{C}", "gist", "0123abc"),
        (f"git+ssh://git@gist.github.com/0123abc.git#{C}", "gist", "0123abc"),
        (f"git+ssh://git@git.sr.ht/~o/r.git#{C}", "sourcehut", "~o/r"),
        (f"https://git.sr.ht/~o/r#{C}", "sourcehut", "~o/r"),
    ],
)
def test_commits(spec: str, host: str, path: str) -> None:
    assert hosted_commit(spec) == HostedCommit(host, path, C)


@pytest.mark.parametrize(
    "spec",
    [
        f"git+https://git.example.com/o/r.git#{C}",
        f"git+https://github.com.example/o/r.git#{C}",
        f"git+https://token@github.com/o/r.git#{C}",
        f"git+https://u:p@github.com/o/r.git#{C}",
        "git+https://github.com/o/r.git#main",
        f"git+https://github.com/o/r.git#{C}0",
        f"git+https://github.com/o/../r.git#{C}",
        f"git+https://github.com/o/r/tree#{C}",
        f"git+https://github.com/o//r#{C}",
        f"github:r#{C}",
        f"git://gitlab.com/o/r.git#{C}",
        f"git+https://git.sr.ht/~o/r#{C}",
        f"svn:o/r#{C}",
    ],
)
def test_others(spec: str) -> None:
    assert hosted_commit(spec) is None


@pytest.mark.parametrize(
    ("host", "path", "https", "archives"),
    [
        ("github", "o/r", "https://github.com/o/r.git",
            (f"https://codeload.github.com/o/r/tar.gz/{C}",)),
        ("gist", "01ab", "https://gist.github.com/01ab.git",
            (f"https://codeload.github.com/gist/01ab/tar.gz/{C}",)),
        ("bitbucket", "o/r", "https://bitbucket.org/o/r.git",
            (f"https://bitbucket.org/o/r/get/{C}.tar.gz",)),
        ("sourcehut", "~o/r", "https://git.sr.ht/~o/r",
            (f"https://git.sr.ht/~o/r/archive/{C}.tar.gz",)),
        ("gitlab", "g/s/r", "https://gitlab.com/g/s/r.git",
            (f"https://gitlab.com/g/s/r/repository/archive.tar.gz?ref={C}",
             f"https://gitlab.com/api/v4/projects/g%2Fs%2Fr/repository/archive.tar.gz?sha={C}")),
    ],
)  # fmt: skip
def test_addresses(host: str, path: str, https: str, archives: tuple[str, ...]) -> None:
    commit = HostedCommit(host, path, C)
    assert commit.archives == archives
    assert commit.repositories == (https, https.replace("https://", "ssh://git@"))
    if host != "sourcehut":
        assert {hosted_archive(url) for url in archives} == {commit}


@pytest.mark.parametrize(
    "url",
    [
        f"https://codeload.github.com/o/r/tar.gz/{C[:39]}",
        "https://codeload.github.com/o/r/tar.gz/main",
        f"https://codeload.github.com/../r/tar.gz/{C}",
        f"http://codeload.github.com/o/r/tar.gz/{C}",
        f"https://codeload.example.com/o/r/tar.gz/{C}",
        f"https://gitlab.com/api/v4/projects/..%2Fr/repository/archive.tar.gz?sha={C}",
        f"https://gitlab.com/o/r/-/archive/{C}/x/y.tar.gz",
    ],
)
def test_archives_of_nobody(url: str) -> None:
    assert hosted_archive(url) is None


def test_gitlabs_archives() -> None:
    expected = HostedCommit("gitlab", "g/s/r", C)
    assert hosted_archive(f"https://gitlab.com/g/s/r/-/archive/{C}/r-{C}.tar.gz") == expected
    address = f"https://gitlab.com/api/v4/projects/g%2Fs%2Fr/repository/archive.tar.gz?ref={C}"
    assert hosted_archive(address) == expected


def test_known_hosts() -> None:
    assert is_known_host("www.github.com") and is_known_host("git.sr.ht")
    assert not is_known_host("git.example.com")
