"""Whatever a lock of Maven's or Gradle's holds, it is read or refused cleanly."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.gradle.test_room import SHA
from tests.formats.gradle.test_room import read as read_gradle
from tests.formats.maven.test_room import project
from vendorpack.errors import VendorpackError
from vendorpack.formats.maven import FORMAT as MAVEN
from vendorpack.model import Options

_PARTS = st.sampled_from(
    [
        *(SHA, "  ", " *", "\n", "\r\n", "/", "org/example/a/1.0/a-1.0.jar", "a", "..", ".", "#"),
        *("-SNAPSHOT", "\0", "\u2028", "é", "LATEST", "00", "a-1.0.tar.gz", "~", "\\"),
    ]
)
_XML = st.sampled_from(
    [
        *("<verification-metadata>", "</verification-metadata>", "<components>", "</components>"),
        *(
            '<component group="g" name="a" version="1">',
            "</component>",
            "<!-- x -->",
            "&amp;",
            "&x;",
        ),
        *('<artifact name="a-1.jar">', "</artifact>", f'<sha256 value="{SHA}"/>', "<pgp/>", "]]>"),
        *(
            "<!DOCTYPE a>",
            '<sha1 value="">',
            "</sha1>",
            "\0",
            "é",
            "<a b='c' b='d'>",
            '<?xml v="1"?>',
        ),
    ]
)
_JSON = st.recursive(
    st.none()
    | st.integers()
    | st.sampled_from([SHA, "SHA-256", "g", "https://x.example/a.jar", "1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("groupId", "artifactId", "version", "resolved", "checksum"),
                    *("checksumAlgorithm", "repositoryId", "relativePath", "children"),
                ]
            ),
            inner,
            max_size=7,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_PARTS, max_size=20).map("".join))
def test_any_summary_is_read_or_refused(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            MAVEN.read(project(Path(folder), "checksums-central.sha256", text), Options())
        except VendorpackError as error:
            assert error.where and error.exit_code > 1


@settings(max_examples=200, deadline=None)
@given(_JSON)
def test_any_lockfile_json_is_read_or_refused(value: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps({"lockFileVersion": 1, "dependencies": value})
        try:
            MAVEN.read(project(Path(folder), "lockfile.json", text), Options())
        except VendorpackError as error:
            assert error.where and error.exit_code > 1


@settings(max_examples=300, deadline=None)
@given(st.lists(_XML, max_size=25).map("".join))
def test_any_verification_metadata_is_read_or_refused(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            read_gradle(Path(folder), text)
        except VendorpackError as error:
            assert error.where and error.exit_code > 1
