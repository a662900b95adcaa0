"""Licences as each kind of metadata declares them, at the borders of what can be read."""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import BinaryIO

import pytest

from tests.world.files import tar_gz, zip_of
from vendorpack.digest import Digest, Integrity
from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.archives.tarball import first_file
from vendorpack.formats._shared.git.license import commit_reader
from vendorpack.formats._shared.git.made import commit_pack, made_commit
from vendorpack.formats._shared.maven.files import file_of
from vendorpack.formats._shared.maven.license import inherited, of_pom
from vendorpack.formats._shared.npm.license import OF_TARBALL, of_manifest
from vendorpack.formats._shared.python.license import of_file, of_metadata, of_project
from vendorpack.formats._shared.text.license_names import any_of, license_id, listed
from vendorpack.formats._shared.text.license_texts import FILE_NAME, agreed, recognised
from vendorpack.formats.bundler.license import of_specification
from vendorpack.formats.cargo.license import of_manifest as of_crate
from vendorpack.formats.gomod.license import reader_of as reader_of_module
from vendorpack.formats.gomod.modules import ModuleFile
from vendorpack.model import Artifact, Blob, Packed

MIT = """The MIT License

Copyright (c) 2020 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND.
"""
BSD = """Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice.
2. Redistributions in binary form must reproduce the above copyright notice.
"""
NEITHER = "3. Neither the name of X may be used to endorse or promote products derived from it.\n"
ISC = """Permission to use, copy, modify, and/or distribute this software for any purpose with or
without fee is hereby granted, provided that the above copyright notice and this permission notice
appear in all copies.
"""
APACHE = "Apache License\nVersion 2.0, January 2004\nhttp://www.apache.org/licenses/\n"


ZIP = ModuleFile(
    name="m.test/x",
    version="v1.0.0",
    purl="pkg:golang/m.test/x@v1.0.0",
    url=None,
    integrity=Integrity(),
    where="go.sum:1",
    suffix="zip",
)


# -- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "spdx"),
    [
        ("MIT", "MIT"),
        ("The MIT License (MIT)", "MIT"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("The Apache Software License, Version 2.0", "Apache-2.0"),
        ("Apache 2.0", "Apache-2.0"),
        ("Apache License v2.0", "Apache-2.0"),
        ('BSD 3-Clause "New" or "Revised" License', "BSD-3-Clause"),
        ("Eclipse Public License - v 1.0", "EPL-1.0"),
        ("Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"),
        ("GNU Lesser General Public License v3 or later (LGPLv3+)", ""),
        ("GNU Lesser General Public License v3 or later", "LGPL-3.0-or-later"),
        # Several licences have these.
        ("BSD", ""),
        ("BSD License", ""),
        ("Apache License", ""),
        ("GPLv3", ""),
        ("GNU General Public License, version 2", ""),
        ("Public Domain", ""),
        ("MIT-ish", ""),
        ("", ""),
        ("license", ""),
    ],
)
def test_a_name_is_an_id_only_if_it_can_mean_nothing_else(name: str, spdx: str) -> None:
    assert license_id(name) == spdx


def test_several_names() -> None:
    assert any_of(["MIT License", "GPL-3.0"]) == "MIT OR GPL-3.0"
    assert any_of(["MIT AND Zlib", "ISC", "ISC"]) == "(MIT AND Zlib) OR ISC"
    assert any_of(["", ""]) == "" and any_of(["mit"]) == "MIT"
    assert listed(["Ruby", "2-Clause BSD"]) == "Ruby, BSD-2-Clause"


# -- texts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "spdx"),
    [
        (MIT, "MIT"),
        (MIT.upper().replace("\n", "\r\n\r\n"), "MIT"),
        (MIT.replace("The above copyright", "The").replace("permission notice", "x"), "MIT-0"),
        (MIT + "The Software shall be used for Good, not Evil.", ""),
        (MIT + "Except as contained in this notice, the name of X shall not be used", ""),
        (MIT.replace("sublicense, ", ""), ""),
        (BSD, "BSD-2-Clause"),
        (BSD + NEITHER, "BSD-3-Clause"),
        (BSD + "3. All advertising materials mentioning features" + NEITHER, "BSD-4-Clause"),
        (BSD + NEITHER + "No express or implied licenses to any party's patent rights", ""),
        (BSD.partition("2. ")[0], ""),
        (ISC, "ISC"),
        (ISC.partition(", provided")[0] + ".", "0BSD"),
        (APACHE, "Apache-2.0"),
        ("Mozilla Public License Version 2.0\n====\n\n1. Definitions", "MPL-2.0"),
        ("GNU GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007", "GPL-3.0-only"),
        ("GNU LESSER GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007", "LGPL-3.0-only"),
        ("GNU AFFERO GENERAL PUBLIC LICENSE\n Version 3, 19 November 2007", "AGPL-3.0-only"),
        ("This is free and unencumbered software released into the public domain.", "Unlicense"),
        # Two licences in one file, or none.
        (MIT + APACHE, ""),
        (MIT + BSD, ""),
        ("All rights reserved.", ""),
        ("", ""),
    ],
)
def test_a_text_is_known_by_its_sentences(text: str, spdx: str) -> None:
    assert recognised(text) == spdx


def test_a_gnu_licence_is_what_its_title_says() -> None:
    text = "GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007" + " words" * 200
    assert recognised(text + "GNU Affero General Public License Version 3, 19 November 2007") == (
        "GPL-3.0-only"
    )


def test_files_have_to_agree() -> None:
    assert agreed([MIT, MIT + " "]) == "MIT"
    assert agreed([MIT, APACHE]) == "" == agreed([]) == agreed([MIT, "Ask me."])
    names = ["LICENSE", "license.md", "LICENCE.txt", "LICENSE-MIT", "COPYING", "UNLICENSE"]
    assert all(FILE_NAME.fullmatch(name) for name in names)
    assert not any(FILE_NAME.fullmatch(n) for n in ["LICENSES", "license.go", "NOTICE", "COPYINGS"])


# -- package.json ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manifest", "declared"),
    [
        ({"license": "MIT"}, "MIT"),
        ({"license": "(MIT OR GPL-3.0)"}, "(MIT OR GPL-3.0)"),
        ({"license": "SEE LICENSE IN LICENSE.md"}, "SEE LICENSE IN LICENSE.md"),
        ({"license": "UNLICENSED"}, "UNLICENSED"),
        ({"license": {"type": "ISC", "url": "https://x"}}, "ISC"),
        ({"licenses": [{"type": "MIT"}, {"type": "Apache 2.0"}]}, "MIT OR Apache-2.0"),
        ({"licenses": ["MIT"]}, "MIT"),
        ({"licenses": {"type": "BSD"}}, "BSD"),
        ({"license": "MIT", "licenses": ["GPL"]}, "MIT"),
        ({"license": ""}, ""),
        ({"license": 7}, ""),
        ({"license": [None, {}, "MIT"]}, "MIT"),
        ({}, ""),
    ],
)
def test_package_json(manifest: object, declared: str) -> None:
    assert of_manifest(b"\xef\xbb\xbf" + json.dumps(manifest).encode()) == declared


def test_what_is_no_package_json_declares_nothing() -> None:
    assert {of_manifest(data) for data in (b"", b"[]", b"{", b"\xff", b"[" * 100_000)} == {""}


# -- one file of an archive ------------------------------------------------------------------


def read(data: bytes, reader: Callable[[BinaryIO], str] = OF_TARBALL.read) -> str:
    return reader(io.BytesIO(data))


def package(files: Mapping[str, bytes]) -> bytes:
    return tar_gz({f"package/{path}": data for path, data in files.items()})


def test_the_manifest_of_a_tarball() -> None:
    manifest = b'{"license": "MIT"}'
    before = {"a/package.json": b'{"license": "GPL"}', "big": bytes(300_000)}
    assert read(package({**before, "package.json": manifest})) == "MIT"
    assert read(gzip.decompress(package({"package.json": manifest}))) == "MIT"
    assert read(package(before)) == ""
    long = "d" * 120 + "/package.json"  # in a folder of its own, by a prefix
    assert read(tar_gz({f"package/{long}": b'{"license": "X"}'})) == ""


def test_no_more_is_inflated_than_it_takes() -> None:
    data = package({"package.json": b'{"license": "MIT"}', "noise": bytes(2 << 20)})
    assert read(data[:-100]) == "MIT"  # its end is not there at all
    head = gzip.compress(gzip.decompress(data)[:1024])
    assert read(head + b"what follows is no gzip") == "MIT"


def test_a_name_from_an_extended_header_counts() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, text in (("x", b'{"license": "MIT"}'), ("y", b'{"license": "ISC"}')):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            member.pax_headers = {"path": "package/package.json"} if name == "y" else {}
            tar.addfile(member, io.BytesIO(text))
    assert read(out.getvalue()) == "ISC"


def test_a_damaged_archive_is_refused() -> None:
    whole = gzip.decompress(package({"package.json": b"{}"}))
    wrong = whole[:150] + b"7" + whole[151:]
    for data in (wrong, b"\x1f\x8b" + bytes(30), bytes([1]) * 600):
        with pytest.raises(UnsupportedError):
            first_file(io.BytesIO(data), "package/package.json", label="x")
    assert first_file(io.BytesIO(b""), "x", label="x") is None
    huge = bytearray(whole[:512])
    huge[124:136] = b"\x80" + bytes(7) + struct.pack(">I", 0xFFFFFFFF)
    huge[0:100] = b"other".ljust(100, b"\0")
    assert first_file(io.BytesIO(bytes(huge)), "package.json", label="x") is None


# -- Python ----------------------------------------------------------------------------------

CLASSIFIER = "Classifier: License :: OSI Approved :: "


@pytest.mark.parametrize(
    ("fields", "declared"),
    [
        (["License-Expression: MIT OR Apache-2.0", "License: BSD"], "MIT OR Apache-2.0"),
        (["License: MIT License"], "MIT"),
        (["License: MPL-2.0 AND MIT", CLASSIFIER + "MIT License"], "MPL-2.0 AND MIT"),
        (["License: BSD", CLASSIFIER + "BSD License"], "BSD"),
        (["License: UNKNOWN", CLASSIFIER + "MIT License"], "MIT"),
        ([CLASSIFIER + "Apache Software License"], "Apache Software License"),
        ([CLASSIFIER + "ISC License (ISCL)", "Classifier: License :: OSI Approved"], "ISC"),
        ([CLASSIFIER + "MIT License", CLASSIFIER + "The Unlicense (Unlicense)"], "MIT, Unlicense"),
        (["License: " + MIT.replace("\n", "\n        ")], "MIT"),
        (["License: Copyright (c)\n  All rights reserved"], ""),
        (["License: Copyright (c)\n  All", CLASSIFIER + "BSD License"], "BSD License"),
        (["license: mit"], "MIT"),
        (["Name: x"], ""),
        (["Name: x", "", "License: MIT"], ""),  # the description
    ],
)
def test_core_metadata(fields: list[str], declared: str) -> None:
    text = "\n".join(["Metadata-Version: 2.4", *fields, "Version: 1", ""])
    assert of_metadata(text.encode()) == declared
    assert of_metadata(text.replace("\n", "\r\n").encode()) == declared


def test_wheels_and_sdists() -> None:
    metadata = b"Metadata-Version: 2.1\nLicense: MIT\n\nLicense: GPL\n"
    other = {"y/x.dist-info/METADATA": b"License: GPL\n", "x/METADATA": b"License: GPL\n"}
    wheel = zip_of({**other, "x-1.dist-info/METADATA": metadata})
    sdist = {"x-1/x.egg-info/PKG-INFO": b"License: GPL\n", "x-1/PKG-INFO": metadata}
    for name, data in (
        ("x-1-py3-none-any.whl", wheel),
        ("x-1.tar.gz", tar_gz(sdist)),
        ("x-1.tar", gzip.decompress(tar_gz(sdist))),
        ("x-1.zip", zip_of(sdist)),
    ):
        reader = of_file(name)
        assert reader is not None and read(data, reader.read) == "MIT", name
    assert of_file("x-1.tar.bz2") is None


def test_pyproject() -> None:
    assert of_project(b'[project]\nlicense = "MIT"\n') == "MIT"
    assert of_project(b'[project]\nlicense = {text = "Apache 2.0"}\n') == "Apache-2.0"
    assert of_project(b'[project]\nlicense = {file = "LICENSE"}\n') == ""
    for data in (
        b"",
        b"[project]",
        b"project = 1",
        b"[project",
        b"\xff",
        b"[project]\nlicense = 1",
    ):
        assert of_project(data) == ""


# -- crates, gems, POMs ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manifest", "declared"),
    [
        ('[package]\nname = "x"\nlicense = "MIT/Apache-2.0"\n[features]\n', "MIT OR Apache-2.0"),
        ('[package]\nlicense = "MIT"\n', "MIT"),
        ('[package]\ndescription = """\n[x]"""\nlicense = "MIT"\n', "MIT"),
        ('[workspace.package]\nlicense = "ISC"\n', "ISC"),
        ('[package]\nlicense-file = "L"\n', ""),
        ("[package]\nlicense.workspace = true\n", ""),
        ("[package", ""),
        ("package = 1", ""),
    ],
)
def test_cargo_toml(manifest: str, declared: str) -> None:
    assert of_crate(manifest.encode()) == declared


@pytest.mark.parametrize(
    ("lines", "declared"),
    [
        ("licenses:\n- MIT\nmetadata: {}\n", "MIT"),
        ("licenses:\n- Ruby\n- 'BSD-2-Clause'\nx: y\n", "Ruby, BSD-2-Clause"),
        ("licenses: []\n", ""),
        ("description: |\n  licenses:\n  - GPL\n", ""),
        ("", ""),
    ],
)
def test_gem_specifications(lines: str, declared: str) -> None:
    head = "--- !ruby/object:Gem::Specification\nname: x\n"
    assert of_specification((head + lines).encode()) == declared


def pom(*licenses: str, parent: str = "") -> bytes:
    listed = "".join(f"<license>{text}</license>" for text in licenses)
    return f"<project>{parent}<licenses>{listed}</licenses></project>".encode()


PARENT = "<parent><groupId>org.x</groupId><artifactId>p</artifactId><version>1</version></parent>"


@pytest.mark.parametrize(
    ("data", "declared"),
    [
        (pom("<name>The Apache Software License, Version 2.0</name>"), "Apache-2.0"),
        (pom("<name>BSD</name><url>http://x</url>"), "BSD"),
        (
            pom("<name>Apache</name><url>https://www.apache.org/licenses/LICENSE-2.0.txt</url>"),
            "Apache-2.0",
        ),
        (pom("<name>MIT</name>", "<name>EPL 1.0</name>", parent=PARENT), "MIT OR EPL-1.0"),
        (pom("<url>https://x/l</url>"), "https://x/l"),
        (pom(parent=PARENT), "parent org/x/p/1/p-1.pom"),
        (pom(parent=PARENT.replace("<version>1</version>", "")), ""),
        (pom(), ""),
        (b"<project>", ""),
        (b"<!DOCTYPE a []><project/>", ""),
    ],
)
def test_poms(data: bytes, declared: str) -> None:
    assert of_pom(data) == declared


def test_a_file_of_a_repository_has_its_poms_licence_or_that_ones_parents() -> None:
    says = {
        "org/x/a/1/a-1.pom": "parent org/x/p/1/p-1.pom",
        "org/x/a/1/a-1-sources.jar": "",
        "org/x/p/1/p-1.pom": "MIT",
        "org/x/b/1/b-1.jar": "",
        "org/x/b/1/b-1.pom": "parent org/x/gone/1/gone-1.pom",
        "org/x/c/1/c-1.pom": "parent org/x/c/1/c-1.pom",
    }
    packed = [
        Packed(file_of(path, Integrity(), ("https://x/",), "lock:1"), Blob("0" * 64, 1), text)
        for path, text in says.items()
    ]
    assert [*inherited(packed)] == ["MIT", "MIT", "MIT", "", "", ""]


def test_a_module_by_its_texts() -> None:
    reader = reader_of_module(ZIP)
    assert reader is not None
    inner = {"m.test/x@v1.0.0/sub/LICENSE": b"GPL", "m.test/x@v1.0.0/v/y@1/COPYING": b"GPL"}
    licence = {"m.test/x@v1.0.0/LICENSE": MIT.encode()}
    assert read(zip_of({**inner, **licence}), reader.read) == "MIT"
    assert read(zip_of(inner), reader.read) == ""
    other = {"m.test/x@v1.0.0/COPYING": BSD.encode()}
    assert read(zip_of({**licence, **other}), reader.read) == ""
    assert read(zip_of(licence)[:-10], reader.read) == "" == read(b"", reader.read)
    assert reader_of_module(replace(ZIP, suffix="mod")) is None


# -- commits ---------------------------------------------------------------------------------


def commit_of(files: Mapping[str, bytes]) -> Artifact:
    return Artifact(
        name="x",
        version="1",
        purl="pkg:npm/x@1",
        url="git+https://git.test/x",
        integrity=Integrity.of([Digest("git", bytes.fromhex(made_commit(files)))]),
        where="lock:1",
    )


def commit_says(files: Mapping[str, bytes], folder: str = "") -> str:
    reader = commit_reader("npm", commit_of(files), folder, {"package.json": of_manifest})
    return read(commit_pack(files), reader.read)


def test_a_commit_says_it_in_its_manifest_or_by_its_text() -> None:
    inner = {"a/package.json": b'{"license": "ISC"}', "b/LICENSE": MIT.encode()}
    root = {"package.json": b"{}", "LICENSE": BSD.encode(), **inner}
    assert commit_says(root) == "BSD-2-Clause"
    assert commit_says({**root, "package.json": b'{"license": "MIT"}'}) == "MIT"
    assert commit_says(root, "a") == "ISC" and commit_says(root, "b/") == "MIT"
    assert commit_says(root, "c") == ""


def test_folders_of_one_commit_are_asked_apart() -> None:
    artifact = commit_of({"x": b""})
    recipes = {commit_reader("npm", artifact, folder).recipe for folder in ("", "a", "b", "b/")}
    assert len(recipes) == 3 and all(re.fullmatch("[a-z0-9-]+", r) for r in recipes)
