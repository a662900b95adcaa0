"""Whatever an artifacts.lock.yaml or a wrapper's properties hold, it is read or refused cleanly."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path, PurePosixPath

from hypothesis import given, settings
from hypothesis import strategies as st

from vendorpack.errors import VendorpackError
from vendorpack.formats.extras import FORMAT
from vendorpack.model import Options
from vendorpack.project import Host, Project

_KEYS = st.sampled_from(
    ["download_url", "checksum", "filename", "auth", "type", "attributes", "bearer", "value"]
)
_WORDS = st.sampled_from(
    [
        *(
            "https://x.example/a.gz",
            "https://[",
            "https://x/%",
            "http://x:0/",
            "sha256:" + "a" * 64,
        ),
        *("sha256:", "md5:x", "maven", "../a", "a/b", "", "$X", "\n", "1.0", "2.0"),
    ]
) | st.text(max_size=6)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=8,
)
_ARTIFACTS = st.lists(
    st.fixed_dictionaries(
        {"download_url": _WORDS, "checksum": _WORDS},
        optional={"filename": _WORDS, "auth": _VALUES, "type": _WORDS, "attributes": _VALUES},
    )
    | _VALUES,
    max_size=3,
)


def read(name: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(data)
        host = Host({"X": "canary"}, Path(folder), "linux")
        project = Project(Path(folder), PurePosixPath(name), host)
        try:
            found = FORMAT.read(project, Options())
        except VendorpackError as error:
            assert error.where and error.exit_code > 1
            assert "canary" not in str(error)
        else:
            assert "canary" not in repr(found.artifacts)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["1.0", "2.0", "3"]), _ARTIFACTS)
def test_any_lock_is_read_or_refused(version: str, artifacts: list[object]) -> None:
    text = json.dumps({"metadata": {"version": version}, "artifacts": artifacts})
    read("artifacts.lock.yaml", text.encode("utf-8", "replace"))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    "distributionUrl=",
                    "distributionSha256Sum",
                    "https",
                    "\\:",
                    "://",
                    "x/a-bin.zip",
                ),
                *("\n", "\\", "\\u00", "#", "=", " ", "a" * 64, "distributionBase=", "\0", "é"),
            ]
        ),
        max_size=12,
    )
)
def test_any_properties_are_read_or_refused(parts: list[str]) -> None:
    read("gradle-wrapper.properties", "".join(parts).encode())
