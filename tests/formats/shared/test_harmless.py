"""Which install scripts are said to fetch nothing."""

from __future__ import annotations

from functools import partial

import pytest

from vendorpack.formats._shared.archives.package_files import Files
from vendorpack.formats._shared.npm.harmless import is_harmless

QUIET = """\
const { writeFileSync } = require('fs')
import os from 'node:os'
console.log('see https://example.com', os.EOL, require('./lib/words').hello)
"""


def files(**texts: str) -> Files:
    """Files with `_` for the dot and `__` for the slash."""
    named = {key.replace("__", "/").replace("_", "."): text for key, text in texts.items()}
    return {path: partial(str.encode, text) for path, text in named.items()}


WORDS = files(quiet_js=QUIET, lib__words_js="exports.hello = require('../quiet') && 'hello'")


@pytest.mark.parametrize(
    "script",
    [
        "echo thanks",
        "exit 0",
        "husky install || true",
        "node quiet.js",
        "node ./quiet",
        "node -e \"try { require('./quiet') } catch (e) {}\" || exit 0",
        "echo a; node quiet && true",
    ],
)
def test_harmless(script: str) -> None:
    assert is_harmless(script, WORDS)


@pytest.mark.parametrize(
    "script",
    [
        "",
        "&& true",
        "node missing.js",
        "node ../quiet.js",
        "node",
        "node --require ./quiet.js",
        "node quiet.js extra; curl https://example.com",
        "echo $(curl https://example.com)",
        "echo `curl https://example.com`",
        "echo 'not closed",
        "other-program install",
        "node -e \"require('https').get('https://example.com')\"",
    ],
)
def test_not_harmless(script: str) -> None:
    assert not is_harmless(script, WORDS)


@pytest.mark.parametrize(
    "code",
    [
        "require('https')",
        'import { get } from "node:http"',
        "await import(`node:net`)",
        "require('child_process').execSync('curl')",
        "require('got')",
        "require('./missing')",
        "require('./addon.node' + '')",
        "require(name)",
        "import(name)",
        "fetch('https://example.com')",
        "new Function('x')()",
        "process.binding('tcp_wrap')",
    ],
)
def test_what_a_file_may_not_do(code: str) -> None:
    assert not is_harmless("node install.js", files(install_js=code))
    assert not is_harmless("node quiet.js", files(quiet_js="require('./deep')", deep_js=code))
