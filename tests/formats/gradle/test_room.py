"""Gradle's verification metadata: what is read and refused, and what is made of it."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath

import pytest

from tests.memory import MemoryWorkshop
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats import BUILTIN
from vendorpack.formats._shared.maven.repositories import CENTRAL
from vendorpack.formats.gradle import FORMAT, GOOGLE, PLUGIN_PORTAL
from vendorpack.model import Lockfile, Options, Packed
from vendorpack.project import Host, Project

SHA = hashlib.sha256(b"x").hexdigest()
OTHER = hashlib.sha256(b"y").hexdigest()


def component(group: str, artifact: str, version: str, *files: str) -> str:
    inside = "".join(files)
    return f'<component group="{group}" name="{artifact}" version="{version}">{inside}</component>'


def file(name: str, inside: str = f'<sha256 value="{SHA}" origin="Generated"/>') -> str:
    return f'\n<artifact name="{name}">{inside}</artifact>'


def metadata(
    *components: str, configuration: str = "<verify-metadata>true</verify-metadata>"
) -> str:
    return (
        '<?xml version="1.0"?>'
        '<verification-metadata xmlns="https://schema.gradle.org/dependency-verification">'
        f"<configuration>{configuration}</configuration>"
        f"<components>{''.join(components)}</components></verification-metadata>"
    )


def read(folder: Path, text: str, repo: str = "") -> Lockfile:
    (folder / "gradle").mkdir(parents=True, exist_ok=True)
    (folder / "gradle/verification-metadata.xml").write_text(text)
    host = Host(environ={}, home=folder / "home", os="linux")
    made = Project(folder, PurePosixPath("gradle/verification-metadata.xml"), host)
    return FORMAT.read(made, Options(extra={"gradle-repo": repo} if repo else {}))


def test_files_and_where_they_are_asked_for(tmp_path: Path) -> None:
    text = metadata(
        component("org.example", "a", "1", file("a-1.jar"), file("a-1.pom")),
        component("androidx.core", "b", "1", file("b-1.aar")),
        component("com.x.gradle.plugin", "p", "1", file("p-1.pom")),
    )
    found = {a.purl: a.sources for a in read(tmp_path, text, "corp=https://corp.example").artifacts}
    corp = "https://corp.example/"
    assert found == {
        "pkg:maven/org.example/a@1": tuple(
            f"{base}org/example/a/1/a-1.jar" for base in (corp, CENTRAL, PLUGIN_PORTAL)
        ),
        "pkg:maven/org.example/a@1?type=pom": tuple(
            f"{base}org/example/a/1/a-1.pom" for base in (corp, CENTRAL, PLUGIN_PORTAL)
        ),
        "pkg:maven/androidx.core/b@1?type=aar": tuple(
            f"{base}androidx/core/b/1/b-1.aar" for base in (corp, GOOGLE, CENTRAL, PLUGIN_PORTAL)
        ),
        "pkg:maven/com.x.gradle.plugin/p@1?type=pom": tuple(
            f"{base}com/x/gradle/plugin/p/1/p-1.pom" for base in (corp, PLUGIN_PORTAL, CENTRAL)
        ),
    }


def test_hashes(tmp_path: Path) -> None:
    also = f'<sha256 value="{SHA}"><also-trust value="{OTHER}"/></sha256><pgp value="AA"/>'
    text = metadata(
        component("g", "a", "1", file("a-1.jar", also), file("a-1.pom", '<pgp value="AA"/>'))
    )
    jar, pom = sorted(read(tmp_path, text).artifacts, key=lambda a: a.purl)
    assert [d.hex for d in jar.integrity.digests] == sorted([SHA, OTHER])
    assert not pom.integrity and pom.where.endswith(":3")


def test_poms_that_are_not_pinned(tmp_path: Path) -> None:
    text = metadata(
        component("g", "a", "1", file("a-1.jar")),
        configuration="<verify-metadata>false</verify-metadata>",
    )
    assert "POMs have no hash" in read(tmp_path, text).warnings[0].what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<x/>", "no verification metadata"),
        ("<x>", "not valid XML"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><x/>', "document type"),
        (metadata(component("g", "a", "1-SNAPSHOT", file("a.jar"))), "every day"),
        (metadata(component("../g", "a", "1", file("a.jar"))), "no path"),
        (metadata(component("g", "..", "1", file("a.jar"))), "no path"),
        (metadata(component("g", "a", "1", file("../a.jar"))), "no path"),
        (metadata(component("g", "a", "1", file("a.jar", '<sha256 value="0"/>'))), "sha256"),
        (
            metadata(
                component("g", "a", "1", file("a.jar")),
                component("g", "a", "1", file("a.jar", f'<sha256 value="{OTHER}"/>')),
            ),
            "pinned twice",
        ),
    ],
)
def test_refused(text: str, what: str, tmp_path: Path) -> None:
    with pytest.raises((LockfileError, UnsupportedError), match=what) as caught:
        read(tmp_path, text)
    assert "gradle/verification-metadata.xml" in (caught.value.where or "")


def test_the_tree_and_the_one_script_that_bundles_may_hold(tmp_path: Path) -> None:
    lockfile = read(tmp_path, metadata(component("g", "a", "1", file("a-1.jar"))))
    shop = MemoryWorkshop()
    packed = [Packed(a, shop.add(b"x")) for a in lockfile.artifacts]
    tree = {e.path: shop.content(e) for e in FORMAT.layout(packed, shop)}
    script = tree.pop("gradle/init.d/vendorpack.gradle")
    assert tree == {"gradle/vendorpack-repository/g/a/1/a-1.jar": b"x"}
    (room,) = (room for room in BUILTIN if room.name == "gradle")
    digest = hashlib.sha256(script).hexdigest()
    assert room.boundary.texts == (("gradle/init.d/vendorpack.gradle", digest),)
