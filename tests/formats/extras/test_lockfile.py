"""artifacts.lock.yaml and the wrappers' properties: what is read, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from tests.formats.extras.files import GRADLE, MAVEN
from vendorpack.errors import LockfileError
from vendorpack.formats.extras import FORMAT
from vendorpack.model import Lockfile, Options
from vendorpack.project import Host, Project

SUM = "a" * 64
PLAIN = f"  - download_url: https://x.example/a.tar.gz\n    checksum: sha256:{SUM}\n"
JAR = f"""\
  - type: maven
    checksum: sha256:{SUM}
    attributes:
      repository_url: https://repo.example/maven
      group_id: org.example
      artifact_id: thing
      version: "1.0"
      type: test-jar
      classifier: tests
"""


def read(
    folder: Path,
    text: str,
    *,
    name: str = "artifacts.lock.yaml",
    environ: Mapping[str, str] | None = None,
) -> Lockfile:
    (folder / name).write_text(text)
    host = Host(environ or {}, folder / "home", "linux")
    return FORMAT.read(Project(folder, PurePosixPath(name), host), Options())


def lock(artifacts: str, version: str = "1.0") -> str:
    return f'---\nmetadata:\n  version: "{version}"\nartifacts:\n{artifacts}'


def test_a_plain_file(tmp_path: Path) -> None:
    (one,) = read(tmp_path, lock(PLAIN)).artifacts
    assert (one.name, one.version, one.url) == ("a.tar.gz", "a" * 12, "https://x.example/a.tar.gz")
    assert one.where == "artifacts.lock.yaml:5"
    assert one.purl == (
        f"pkg:generic/a.tar.gz?checksum=sha256:{SUM}&download_url=https://x.example/a.tar.gz"
    )


def test_a_maven_file(tmp_path: Path) -> None:
    (one,) = read(tmp_path, lock(JAR)).artifacts
    assert one.url == "https://repo.example/maven/org/example/thing/1.0/thing-1.0-tests.jar"
    assert one.purl == "pkg:maven/org.example/thing@1.0?classifier=tests"


def test_no_host_is_granted_but_the_public_ones_of_recipes(tmp_path: Path) -> None:
    mirrored = (
        f"  - download_url: https://mirror.example/node-v22.1.0-headers.tar.gz\n"
        f"    checksum: sha256:{SUM}\n"
    )
    assert read(tmp_path, lock(PLAIN)).access.origins == frozenset()
    granted = read(tmp_path, lock(mirrored)).access.origins
    assert granted == {"https://nodejs.org", "https://www.electronjs.org"}


def test_credentials_go_to_their_own_file_alone(tmp_path: Path) -> None:
    auth = "    auth: {bearer: {header: PRIVATE-TOKEN, value: 'x $TOKEN ${OTHER} $5'}}\n"
    environ = {"TOKEN": "canary", "OTHER": "two"}
    found = read(tmp_path, lock(PLAIN + auth, "2.0"), environ=environ)
    (credential,) = found.access.credentials
    assert credential.prefix == "https://x.example/a.tar.gz"
    assert (credential.name, credential.header) == ("PRIVATE-TOKEN", "x canary two $5")
    assert "canary" not in repr(found)


def test_a_user_and_a_password(tmp_path: Path) -> None:
    """For a file of Maven's too; `$$` is a dollar sign."""
    auth = "    auth: {basic: {username: me, password: $TOKEN$$}}\n"
    maven = (
        "  - type: maven\n    attributes: {repository_url: 'https://m.example/r', group_id: g.h, "
        f"artifact_id: a, version: '1.0'}}\n    checksum: sha256:{'0' * 64}\n"
    )
    text = lock(PLAIN + auth + maven + auth, "2.0")
    found = read(tmp_path, text, environ={"TOKEN": "canary"}).access.credentials
    assert {one.header for one in found} == {"Basic bWU6Y2FuYXJ5JA=="}
    places = {"https://x.example/a.tar.gz", "https://m.example/r/g/h/a/1.0/a-1.0.jar"}
    assert {one.prefix for one in found} == places
    assert {one.name for one in found} == {"Authorization"}


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    auth = "    auth: {bearer: {value: $TOKEN}}\n"
    with pytest.raises(LockfileError, match="TOKEN, which is not set") as caught:
        read(tmp_path, lock(PLAIN + auth, "2.0"))
    assert caught.value.where == "artifacts.lock.yaml:5"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "a mapping with metadata, artifacts is expected"),
        ("metadata: {version: '1.0'}\n", "artifacts is missing"),
        (lock(PLAIN, "3.0"), "version is '3.0'"),
        (lock(PLAIN) + "extra: 1\n", "'extra' is not known"),
        (lock(PLAIN + "    recipe: x\n"), "'recipe' is not known"),
        (lock(PLAIN + "    auth: {bearer: {value: x}}\n"), "auth needs metadata.version 2.0"),
        (lock(PLAIN + "    auth: {token: x}\n", "2.0"), "'token' is not known"),
        (
            lock(PLAIN + "    auth: {bearer: {value: x}, basic: {username: a}}\n", "2.0"),
            "basic or bearer, one of them",
        ),
        (
            lock(PLAIN + "    auth: {bearer: {header: 'a b', value: x}}\n", "2.0"),
            "name of a header",
        ),
        (lock(PLAIN + "    filename: ../a\n"), "no name of a file below a folder"),
        (lock(PLAIN + "    filename: /a\n"), "no name of a file below a folder"),
        (lock(PLAIN + "    filename: 'a\\b'\n"), "no name of a file below a folder"),
        (lock(PLAIN + PLAIN), "the address https://x.example/a.tar.gz comes twice"),
        (lock(PLAIN + PLAIN.replace("x.ex", "y.ex")), "the file name a.tar.gz comes twice"),
        (lock(PLAIN.replace("https:", "ftp:")), "no http"),
        (lock(PLAIN.replace("x.ex", "me:canary@x.ex")), "there is a login in the address"),
        (lock(PLAIN.replace("sha256", "sha257")), "is not sha256"),
        (lock(PLAIN.replace(SUM, "xyz")), "not a sha256 digest"),
        (lock("  - download_url: https://x.example/\n    checksum: sha256:" + SUM), "no name"),
        (lock(JAR.replace("type: maven", "type: npm")), "is not maven"),
        (lock(JAR.replace("group_id", "group")), "'group' is not known"),
        (lock(JAR.replace("1.0", "1.0-SNAPSHOT")), "means another file every day"),
        (lock("  - 1\n"), "no mapping"),
        ('metadata: {version: "1.0"}\nartifacts: 1\n', "no list"),
    ],
)
def test_what_is_refused(text: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=what) as caught:
        read(tmp_path, text)
    assert getattr(caught.value, "exit_code", 1) > 1
    assert "canary" not in str(caught.value)


# -- wrappers --------------------------------------------------------------------------------

GRADLE_FILE = f"""\
#Thu Jan 01
distributionBase=GRADLE_USER_HOME
distributionPath=wrapper/dists
distributionSha256Sum={SUM}
distributionUrl={GRADLE.replace(":", chr(92) + ":")}
zipStoreBase=GRADLE_USER_HOME
zipStorePath=wrapper/dists
"""
MAVEN_FILE = f"""\
wrapperVersion=3.3.2
distributionType=only-script
distributionUrl={MAVEN}
distributionSha256Sum={SUM}
"""


@pytest.mark.parametrize(
    ("name", "text", "url", "line"),
    [
        ("gradle-wrapper.properties", GRADLE_FILE, GRADLE, 5),
        ("maven-wrapper.properties", MAVEN_FILE, MAVEN, 3),
    ],
)
def test_a_wrapper(name: str, text: str, url: str, line: int, tmp_path: Path) -> None:
    (one,) = read(tmp_path, text, name=name).artifacts
    assert (one.url, one.where) == (url, f"{name}:{line}")
    assert one.integrity.digests[0].hex == SUM


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        (
            "gradle-wrapper.properties",
            GRADLE_FILE.replace("Base=GRADLE_USER_HOME", "Base=PROJECT"),
            "distributionBase is 'PROJECT'",
        ),
        (
            "gradle-wrapper.properties",
            GRADLE_FILE.replace("distributionUrl=https", "distributionUrl=file"),
            "no http",
        ),
        ("maven-wrapper.properties", MAVEN_FILE.replace("only-script", "bin"), "type 'bin'"),
    ],
)
def test_a_wrapper_that_looks_elsewhere_is_warned_of(
    name: str, text: str, what: str, tmp_path: Path
) -> None:
    found = read(tmp_path, text, name=name)
    assert found.artifacts == ()
    assert [what in warning.what for warning in found.warnings] == [True]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("distributionSha256Sum=x\n", "distributionUrl is missing"),
        (GRADLE_FILE.replace(SUM, "xyz"), "distributionSha256Sum is not a sha256 digest"),
        (GRADLE_FILE.replace("//services", "//me:canary@services"), "there is a login"),
    ],
)
def test_a_wrapper_that_is_refused(text: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(LockfileError, match=what) as caught:
        read(tmp_path, text, name="gradle-wrapper.properties")
    assert "canary" not in str(caught.value)
