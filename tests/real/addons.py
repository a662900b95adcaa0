"""A Node.js addon of a few lines, compiled here: it stands in for those that authors release."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

from tests.real.clients import client, tool

SOURCE = """\
#include <node_api.h>
static napi_value version(napi_env env, napi_callback_info info) {
    napi_value found, commit;
    napi_create_object(env, &found);
    napi_create_string_utf8(env, "of the bundle", NAPI_AUTO_LENGTH, &commit);
    napi_set_named_property(env, found, "commit", commit);
    return found;
}
NAPI_MODULE_INIT() {
    napi_value answer, function;
    napi_create_int32(env, 42, &answer);
    napi_set_named_property(env, exports, "answer", answer);
    napi_create_function(env, "version", NAPI_AUTO_LENGTH, version, NULL, &function);
    napi_set_named_property(env, exports, "version", function);
    return exports;
}
"""


@functools.cache
def addon() -> bytes:
    """Its `answer` is 42, and the commit of its `version()` is "of the bundle"."""
    include = (client("node") / "bin/node").resolve().parent.parent / "include/node"
    with tempfile.TemporaryDirectory() as folder:
        source, built = Path(folder, "addon.c"), Path(folder, "addon.node")
        source.write_text(SOURCE)
        options = ["-shared", "-fPIC", f"-I{include}"]
        subprocess.run([tool("gcc"), *options, str(source), "-o", str(built)], check=True)
        return built.read_bytes()
