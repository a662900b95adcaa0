"""Folder names: the values that cargo itself gives, by both of its hashes."""

from __future__ import annotations

import pytest

from vendorpack.formats.cargo.siphash import siphash_2_4
from vendorpack.formats.cargo.sources import (
    CRATES_IO_GIT_INDEX,
    CRATES_IO_INDEX,
    Registry,
    canonical_url,
    git_folders,
)


@pytest.mark.parametrize("source", [f"registry+{CRATES_IO_GIT_INDEX}", f"sparse+{CRATES_IO_INDEX}"])
def test_the_default_registry_has_the_well_known_names(source: str) -> None:
    assert Registry(source).folders(compat=False) == ("index.crates.io-1949cf8c6b5b557f",)
    assert Registry(source).folders(compat=True)[1] == "index.crates.io-6f17d22bba15001f"


def test_names_of_other_sources() -> None:
    # the first as cargo 1.95 named it
    assert git_folders("file:///srv/vp/library", compat=True) == (
        "library-a51213143cf9b3f0",
        "library-18f7b69f95fc16b1",
    )
    assert git_folders("https://example.com/", compat=False) == ("_empty-4d52e45a48c53201",)
    # as cargo 1.65 named it: older ones hash a registry's address as it is
    git = Registry("registry+https://127.0.0.1:43665/git/index.git")
    assert git.folders(compat=True)[1] == "127.0.0.1-8e27c347417362e9"
    assert git.folders(compat=False) == Registry(git.source[:-4]).folders(compat=False)
    assert (
        Registry("sparse+https://a.example:8080/i/")
        .folders(compat=False)[0]
        .startswith("a.example-")
    )


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/Owner/Repo.git", "https://example.com/Owner/Repo"),
        ("https://example.com/Owner/Repo/", "https://example.com/Owner/Repo"),
        ("http://github.com/Owner/Repo.git", "https://github.com/owner/repo"),
        ("ssh://git@github.com/Owner/Repo", "https://git@github.com/owner/repo"),
        ("https://example.com/", "https://example.com/"),
        ("sparse+https://example.com/", "sparse+https://example.com/"),
        ("sparse+https://example.com/index/", "sparse+https://example.com/index"),
        ("sparse+https://example.com/a.git", "sparse+https://example.com/a.git"),
    ],
)
def test_canonical_urls(url: str, expected: str) -> None:
    assert canonical_url(url) == expected


def test_siphash_2_4_of_nothing_by_a_zero_key() -> None:
    assert siphash_2_4(b"") == 0x1E924B9D737700D7
