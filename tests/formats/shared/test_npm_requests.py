"""What is said of a request that an install made in vain."""

from __future__ import annotations

import pytest

from vendorpack.formats._shared.npm.requests import explain_request


@pytest.mark.parametrize(
    "url",
    [
        "https://registry.npmjs.org/npm",
        "https://registry.npmjs.org/-/npm/v1/security/advisories/bulk",
        "https://mirror.example/repository/npm/-/npm/v1/security/audits/quick",
        "https://registry.npmjs.org/-/package/yarn/dist-tags",
        "https://registry.npmjs.org/pnpm/latest",
        "registry.npmjs.org",
    ],
)
def test_looks_for_news_are_harmless(url: str) -> None:
    assert explain_request(url) == ""


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://registry.npmjs.org/left-pad", "left-pad"),
        ("https://registry.npmjs.org/@scope%2fname", "@scope/name"),
        ("https://registry.yarnpkg.com/left-pad/-/left-pad-1.3.0.tgz", "left-pad"),
        ("https://mirror.example/npm/@scope/name/-/name-1.0.0.tgz", "@scope/name"),
    ],
)
def test_a_package_is_named(url: str, name: str) -> None:
    said = explain_request(url)
    assert said is not None and said.startswith(f"{name} is not in the bundle")


@pytest.mark.parametrize(
    "url",
    [
        "https://registry.npmjs.org",
        "https://example.com/left-pad",
        "https://nodejs.org/download/release/v24.0.0/node-v24.0.0-headers.tar.gz",
        "tcp://db.example:5432",
    ],
)
def test_other_addresses_are_not_ours(url: str) -> None:
    assert explain_request(url) is None
