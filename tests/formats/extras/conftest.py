"""A registry, and Node's headers beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.formats.extras.files import HEADERS
from tests.world.files import Files
from tests.world.npm import NpmRegistry
from tests.world.site import Site


@pytest.fixture
def registry() -> Iterator[NpmRegistry]:
    site = Site()
    npm = site.mount("", NpmRegistry())
    site.mount("files", Files()).put("v24.1.0/node-v24.1.0-headers.tar.gz", HEADERS)
    with site:
        npm.url = site.url
        yield npm
