"""Addresses of submodules, as git counts them from their repository's."""

from __future__ import annotations

import pytest

from vendorpack.formats._shared.git.submodules import submodule_address


@pytest.mark.parametrize(
    ("repository", "url", "expected"),
    [
        ("https://git.example/a/b.git", "../c.git", "https://git.example/a/c.git"),
        ("ssh://git@git.example/a/b.git", "../c.git", "ssh://git@git.example/a/c.git"),
        ("ssh://git@git.example:2222/a/b.git/", "../../d/c", "ssh://git@git.example:2222/d/c"),
        ("http://git.example/a/b", "./c.git", "http://git.example/a/b/c.git"),
        ("git@git.example:a/b.git", "../c.git", "git@git.example:a/c.git"),
        ("git.example:b.git/", "../c.git", "git.example:c.git"),
        ("ssh://git.example/a", "https://else.example/x", "https://else.example/x"),
    ],
)
def test_addresses(repository: str, url: str, expected: str) -> None:
    assert submodule_address(repository, url) == expected


def test_a_repository_that_is_no_url() -> None:
    with pytest.raises(ValueError, match="is not a URL"):
        submodule_address("/srv/git:a/b.git", "../c.git")
