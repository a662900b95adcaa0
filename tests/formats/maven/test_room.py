"""Maven's locks: what is read and refused, where it is asked for, and the tree that is made."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from tests.memory import MemoryWorkshop
from vendorpack.errors import LockfileError, UnsupportedError, UsageError
from vendorpack.formats._shared.maven.files import MavenFile, coordinates
from vendorpack.formats._shared.maven.poms import Pom, needed, read_pom
from vendorpack.formats._shared.maven.repositories import CENTRAL, url_hash
from vendorpack.formats.maven import FORMAT
from vendorpack.formats.maven.summary import parse_name
from vendorpack.model import Lockfile, Options, Packed
from vendorpack.project import Host, Project

POM = "org/example/thing/1.0/thing-1.0.pom"
JAR = "org/example/thing/1.0/thing-1.0.jar"
NATIVE = "io/netty/lib/4.1/lib-4.1-linux-x86_64.jar"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def line(path: str, hex_digest: str | None = None) -> str:
    return f"{hex_digest or sha256(path)}  {path}\n"


def project(
    folder: Path,
    name: str,
    text: str,
    *,
    settings: str = "",
    config: str = "",
    environ: Mapping[str, str] | None = None,
    **beside: str,
) -> Project:
    """`beside`: other files in `.mvn/checksums`, `_` for `.` in their names."""
    checksums = folder / ".mvn/checksums"
    checksums.mkdir(parents=True, exist_ok=True)
    (checksums / name).write_text(text)
    for other, content in beside.items():
        (checksums / other.replace("_", ".")).write_text(content)
    if config:
        (folder / ".mvn/maven.config").write_text(config)
    if settings:
        (folder / "home/.m2").mkdir(parents=True)
        (folder / "home/.m2/settings.xml").write_text(f"<settings>{settings}</settings>")
    host = Host(environ=environ or {}, home=folder / "home", os="linux")
    return Project(root=folder, lockfile=PurePosixPath(f".mvn/checksums/{name}"), host=host)


def read(made: Project, repo: str = "") -> Lockfile:
    return FORMAT.read(made, Options(extra={"maven-repo": repo} if repo else {}))


def files(lockfile: Lockfile) -> dict[str, MavenFile]:
    return {a.path: a for a in lockfile.artifacts if isinstance(a, MavenFile)}


@pytest.mark.parametrize(
    ("name", "repository", "algorithm"),
    [
        ("checksums.sha256", "", "sha256"),
        ("checksums-central.sha256", "central", "sha256"),
        ("checksums-corp-mirror.sha512", "corp-mirror", "sha512"),
        (f"checksums-central-{url_hash(CENTRAL)}.sha256", "central", "sha256"),
        ("checksums-workspace.sha1", "workspace", "sha1"),
    ],
)
def test_names_of_summary_files(name: str, repository: str, algorithm: str) -> None:
    found = parse_name(name)
    assert found is not None
    assert (found.repository, found.algorithm) == (repository, algorithm)
    assert parse_name(name + ".bak") is None


def test_the_address_of_central_is_hashed_as_maven_does() -> None:
    assert url_hash(CENTRAL) == "8fac3ebd6edbaca3c794783fa38088af0aa128e7"


def test_a_summary(tmp_path: Path) -> None:
    text = line(POM) + line(JAR) + "# a comment\n\n" + line(NATIVE)
    found = files(read(project(tmp_path, "checksums-central.sha256", text)))
    plexus = "org/codehaus/plexus/plexus-utils/1.1/plexus-utils-1.1.jar"
    assert found.keys() == {POM, JAR, NATIVE, plexus}
    native = found[NATIVE]
    assert (native.name, native.version) == ("io.netty:lib", "4.1")
    assert native.purl == "pkg:maven/io.netty/lib@4.1?classifier=linux-x86_64"
    assert native.url == CENTRAL + NATIVE and native.fetch_from == ()
    assert native.where == ".mvn/checksums/checksums-central.sha256:5"
    assert found[POM].purl == "pkg:maven/org.example/thing@1.0?type=pom"
    assert found[plexus].why == ("maven-3.8",)


def test_two_hashes_of_one_path_are_one_artifact(tmp_path: Path) -> None:
    long = hashlib.sha512(POM.encode()).hexdigest()
    made = project(tmp_path, "checksums-central.sha256", line(POM))
    other_file = tmp_path / ".mvn/checksums/checksums-central.sha512"
    other_file.write_text(line(POM, long) + line(JAR, long))
    assert [d.algorithm for d in files(read(made))[POM].integrity.digests] == ["sha512", "sha256"]
    other = Project(tmp_path, PurePosixPath(".mvn/checksums/checksums-central.sha512"), made.host)
    assert JAR in files(read(other)) and POM not in files(read(other))


def test_the_project_s_own_modules_are_not_fetched(tmp_path: Path) -> None:
    assert not read(project(tmp_path, "checksums-workspace.sha256", line(JAR))).artifacts


SETTINGS = """
<mirrors>
  <mirror><id>blocked</id><mirrorOf>*</mirrorOf><url>http://0.0.0.0/</url><blocked>true</blocked></mirror>
  <mirror><id>corp</id><mirrorOf>*,!own</mirrorOf><url>https://corp.example/all</url></mirror>
</mirrors>
<servers>
  <server><id>corp</id><username>me</username><password>${env.SECRET}</password></server>
  <server><id>own</id><configuration><httpHeaders><property>
    <name>Authorization</name><value>Bearer canary</value></property><property>
    <name>X-Other</name><value>x</value></property></httpHeaders></configuration></server>
  <server><id>gone</id><username>a</username><password>b</password></server>
</servers>
<profiles><profile><repositories><repository>
  <id>own</id><url>https://own.example/releases/</url></repository></repositories></profile></profiles>
"""


def test_mirrors_and_servers(tmp_path: Path) -> None:
    made = project(
        tmp_path,
        "checksums-central.sha256",
        line(JAR),
        settings=SETTINGS,
        environ={"SECRET": "hunter2"},
        **{"checksums-own_sha256": line(JAR), "checksums-corp_sha256": line(JAR)},
    )
    lockfile = read(made)
    assert files(lockfile)[JAR].sources == (CENTRAL + JAR, f"https://corp.example/all/{JAR}")
    assert {c.prefix: c.header for c in lockfile.access.credentials} == {
        "https://corp.example/all/": "Basic bWU6aHVudGVyMg==",
        "https://own.example/releases/": "Bearer canary",
    }
    assert [w.what for w in lockfile.warnings] == ["the header 'X-Other' of a server is not sent"]
    assert "hunter2" not in repr(lockfile) and "canary" not in repr(lockfile)
    for name, source in (
        ("own", "https://own.example/releases/"),
        ("corp", "https://corp.example/all/"),
    ):
        path = PurePosixPath(f".mvn/checksums/checksums-{name}.sha256")
        assert files(read(Project(tmp_path, path, made.host)))[JAR].url == source + JAR


@pytest.mark.parametrize(
    "url",
    ["https://corp.example/${env.TOKEN}/all", "${env.NEXUS}", "https://${env.HOST}/${env.TOKEN}"],
)
def test_a_variable_in_the_path_of_a_repository_is_refused(tmp_path: Path, url: str) -> None:
    """It would be shown with the address."""
    made = with_mirror(tmp_path, url)
    with pytest.raises(LockfileError, match=r"the address of 'corp' has .*(TOKEN|NEXUS)") as caught:
        read(made)
    assert "hunter2" not in str(caught.value)
    assert (caught.value.where or "").endswith("settings.xml:1")


def test_a_variable_before_the_path_of_a_repository_is_followed(tmp_path: Path) -> None:
    made = with_mirror(tmp_path, "https://${env.HOST}/all")
    assert files(read(made))[JAR].sources == (CENTRAL + JAR, f"https://corp.example/all/{JAR}")


def with_mirror(folder: Path, url: str) -> Project:
    mirror = (
        f"<mirrors><mirror><id>corp</id><mirrorOf>*</mirrorOf><url>{url}</url></mirror></mirrors>"
    )
    host = "corp.example"
    environ = {"TOKEN": "hunter2", "NEXUS": f"https://{host}/hunter2", "HOST": host}
    return project(folder, "checksums-central.sha256", line(JAR), settings=mirror, environ=environ)


def test_an_encrypted_password_is_named(tmp_path: Path) -> None:
    settings = """<servers><server><id>central</id><username>me</username>
        <password>{COQLCE6DU6GtcS5P=}</password></server></servers>"""
    made = project(tmp_path, "checksums.sha256", line(JAR), settings=settings)
    lockfile = read(made)
    assert not lockfile.access.credentials
    assert "encrypted" in lockfile.warnings[0].what
    assert (lockfile.warnings[0].where or "").endswith("settings.xml:1")


def test_a_repository_by_option(tmp_path: Path) -> None:
    made = project(tmp_path, "checksums-acme.sha256", line(JAR))
    with pytest.raises(UnsupportedError, match="'acme' is") as caught:
        read(made)
    assert "--maven-repo acme=https://" in (caught.value.fix or "")
    assert files(read(made, "acme=https://acme.example/m2"))[JAR].url == (
        f"https://acme.example/m2/{JAR}"
    )
    by_address = f"checksums-x-{url_hash('https://acme.example/m2')}.sha256"
    hashed = project(tmp_path / "other", by_address, line(JAR))
    assert files(read(hashed, "acme=https://acme.example/m2"))[JAR].url == (
        f"https://acme.example/m2/{JAR}"
    )
    for bad in ("acme", "=https://x", "acme=ftp://x"):
        with pytest.raises(UsageError, match="id=https"):
            read(made, bad)


def test_of_any_repository(tmp_path: Path) -> None:
    """The user's own is asked before the public one."""
    made = project(tmp_path, "checksums.sha256", line(JAR))
    assert files(read(made, "acme=https://acme.example/m2"))[JAR].sources == (
        f"https://acme.example/m2/{JAR}",
        CENTRAL + JAR,
    )


@pytest.mark.parametrize(
    ("config", "origins"),
    [
        ("", ()),
        ("-Daether.artifactResolver.postProcessor.trustedChecksums.failIfMissing=false", ()),
        (
            "-Daether.artifactResolver.postProcessor.trustedChecksums.failIfMissing=true\n"
            "-Daether.trustedChecksumsSource.summaryFile.originAware=false",
            (),
        ),
        (
            "-Daether.artifactResolver.postProcessor.trustedChecksums.failIfMissing=true",
            ("central", f"central-{url_hash(CENTRAL)}"),
        ),
    ],
)
def test_a_project_that_wants_to_know_origins(
    config: str, origins: tuple[str, ...], tmp_path: Path
) -> None:
    made = project(tmp_path, "checksums-central.sha256", line(JAR), config=config)
    lockfile = read(made)
    assert files(lockfile)[JAR].origins == origins
    assert FORMAT.fingerprint(made, Options())["tracked"] is bool(origins)
    shop = MemoryWorkshop()
    packed = [Packed(a, shop.add(a.name.encode())) for a in lockfile.artifacts]
    tree = {e.path: shop.content(e) for e in FORMAT.layout(packed, shop)}
    tracking = tree.get("maven/repository/org/example/thing/1.0/_remote.repositories", b"")
    lines = sorted(f"thing-1.0.jar>{origin}=\n" for origin in origins)
    assert tracking.decode() == "".join(lines)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("nonsense\n", "not a hash, two spaces"),
        (line(JAR, "00"), "sha256 digest"),
        (line(JAR) + line(JAR, sha256("other")), "pinned twice"),
        (line("a/b/c"), "no path of a Maven repository"),
        (line("../a/b/c/d"), "no path of a Maven repository"),
        (line("/etc/x/1/x-1.jar"), "no path of a Maven repository"),
        (line("org/x/1.0-SNAPSHOT/x-1.0-SNAPSHOT.jar"), "another file every day"),
        (line("org/x/LATEST/x-LATEST.jar"), "another file every day"),
    ],
)
def test_refused(text: str, what: str, tmp_path: Path) -> None:
    with pytest.raises((LockfileError, UnsupportedError), match=what) as caught:
        read(project(tmp_path, "checksums-central.sha256", text))
    assert (caught.value.where or "").startswith(".mvn/checksums/checksums-central.sha256:")


@pytest.mark.parametrize("settings", ["<!DOCTYPE x>", "<mirrors>", "<mirrors><mirror/></mirrors>"])
def test_settings_without_sense(settings: str, tmp_path: Path) -> None:
    made = project(tmp_path, "checksums.sha256", line(JAR), settings=settings)
    with pytest.raises(LockfileError) as caught:
        read(made)
    assert "settings.xml:1" in (caught.value.where or "")


@pytest.mark.parametrize(
    ("path", "classifier", "kind"),
    [
        (POM, "", "pom"),
        (NATIVE, "linux-x86_64", "jar"),
        ("g/a/1.0/a-1.0-bin.tar.gz", "bin", "tar.gz"),
        ("g/a/1.0/a-1.0.module", "", "module"),
        ("g/a/1.0/b-metadata.jar", "b-metadata", "jar"),
    ],
)
def test_coordinates(path: str, classifier: str, kind: str) -> None:
    found = coordinates(path, "x")
    assert (found.classifier, found.type) == (classifier, kind)


# -- the tree ------------------------------------------------------------------------------


def plugin_jar(prefix: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as jar:
        text = f"<plugin><name>A &amp; B</name><goalPrefix>{prefix}</goalPrefix></plugin>"
        jar.writestr("META-INF/maven/plugin.xml", text)
    return out.getvalue()


def test_metadata_for_ranges_and_prefixes(tmp_path: Path) -> None:
    plugin = "org/example/fancy-plugin/2.0/fancy-plugin-2.0.jar"
    other = "org/example/odd-maven-plugin/2.0/odd-maven-plugin-2.0.jar"
    versions = ["1.9", "1.10", "1.10-beta"]
    poms = [f"org/example/thing/{v}/thing-{v}.pom" for v in versions]
    text = "".join(map(line, [*poms, plugin, other]))
    lockfile = read(project(tmp_path, "checksums-central.sha256", text))
    shop = MemoryWorkshop()
    content = {plugin: plugin_jar("fancy"), other: b"no zip"}
    packed = [Packed(a, shop.add(content.get(p, p.encode()))) for p, a in files(lockfile).items()]
    tree = {e.path: shop.content(e).decode("latin-1") for e in FORMAT.layout(packed, shop)}
    ranges = tree["maven/repository/org/example/thing/maven-metadata-local.xml"]
    listed = [ranges.index(f"<version>{v}<") for v in ("1.9", "1.10-beta", "1.10")]
    assert listed == sorted(listed)
    assert "<release>1.10</release>" in ranges
    prefixes = tree["maven/repository/org/example/maven-metadata-local.xml"]
    assert "<prefix>fancy</prefix>" in prefixes and "<name>A &amp; B</name>" in prefixes
    assert "<prefix>odd</prefix>" in prefixes


def test_merging_keeps_the_user_s_versions() -> None:
    def metadata(*versions: str) -> bytes:
        listed = "".join(f"<version>{v}</version>" for v in versions)
        return (
            "<metadata><groupId>g</groupId><artifactId>a</artifactId><versioning><versions>"
            f"{listed}</versions></versioning></metadata>"
        ).encode()

    path = "maven/repository/g/a/maven-metadata-local.xml"
    merged = FORMAT.merge(path, metadata("0.9-local", "1.0"), metadata("1.0", "1.1"))
    assert [v for v in ("0.9-local", "1.0", "1.1") if f"<version>{v}<".encode() in merged] == [
        "0.9-local",
        "1.0",
        "1.1",
    ]
    assert FORMAT.merge(path, b"rubbish", metadata("1")) == metadata("1")
    tracked = "maven/repository/g/a/1/_remote.repositories"
    assert FORMAT.merge(tracked, b"#date\na.jar>x=\n", b"a.jar>central=\n") == (
        b"a.jar>central=\na.jar>x=\n"
    )
    assert FORMAT.merge("maven/repository/g/a/1/a-1.jar", b"old", b"new") == b"new"


# -- lockfile.json and POMs ------------------------------------------------------------------


def test_lockfile_json(tmp_path: Path) -> None:
    def entry(artifact: str, **more: object) -> dict[str, object]:
        path = f"org/example/{artifact}/1.0/{artifact}-1.0.jar"
        return {
            "groupId": "org.example",
            "artifactId": artifact,
            "version": "1.0",
            "checksumAlgorithm": "SHA-256",
            "checksum": sha256(path),
            "resolved": CENTRAL + path,
            "repositoryId": "central",
            **more,
        }

    elsewhere = "https://elsewhere.example/m2/org/example/c/1.0/c-1.0.jar"
    lock = {
        "artifactId": "app",
        "lockFileVersion": 1,
        "pom": entry("app", relativePath="pom.xml"),
        "dependencies": [
            entry("a", children=[entry("b"), entry("sibling", resolved="", checksum="")]),
            entry("c", resolved=elsewhere, repositoryId="other"),
        ],
        "mavenPlugins": [entry("a")],
    }
    made = project(tmp_path, "lockfile.json", json.dumps(lock, indent=2))
    lockfile = read(made)
    assert [a.name for a in lockfile.artifacts] == [
        "org.example:a",
        "org.example:b",
        "org.example:c",
    ]
    assert lockfile.artifacts[2].url == elsewhere
    assert "https://elsewhere.example" not in lockfile.access.origins
    assert "tests will not run offline" in lockfile.warnings[0].what
    without = read(
        project(tmp_path / "bare", "lockfile.json", json.dumps({**lock, "mavenPlugins": []}))
    )
    assert "lists no plugins" in without.warnings[0].what
    twice = lock | {"mavenPlugins": [entry("a", checksum=sha256("x"))]}
    with pytest.raises(LockfileError, match="pinned twice"):
        read(project(tmp_path / "twice", "lockfile.json", json.dumps(twice)))
    for bad in ("[]", "{}", '{"lockFileVersion": 1, "x": {"checksum": 1}}'):
        with pytest.raises(LockfileError):
            read(project(tmp_path / "bad", "lockfile.json", bad))


def test_the_poms_that_a_pom_leads_to() -> None:
    poms = {
        "g/child/1/child-1.pom": """<project><parent><groupId>g</groupId>
            <artifactId>parent</artifactId><version>1</version></parent>
            <artifactId>child</artifactId></project>""",
        "g/parent/1/parent-1.pom": """<project><groupId>g</groupId><artifactId>parent</artifactId>
            <version>1</version><properties><bom.version>7</bom.version></properties>
            <dependencyManagement><dependencies><dependency><groupId>${project.groupId}.bom</groupId>
            <artifactId>bom</artifactId><version>${bom.version}</version><scope>import</scope>
            </dependency><dependency><groupId>${unknown}</groupId><artifactId>x</artifactId>
            <version>1</version><scope>import</scope></dependency></dependencies>
            </dependencyManagement></project>""",
        "g/moved/1/moved-1.pom": """<project><groupId>g</groupId><artifactId>moved</artifactId>
            <version>1</version><distributionManagement><relocation><artifactId>new</artifactId>
            </relocation></distributionManagement></project>""",
    }

    def look(path: str) -> Pom | None:
        return read_pom(poms[path].encode(), path) if path in poms else None

    assert list(needed("g/child/1/child-1.pom", look)) == [
        "g/parent/1/parent-1.pom",
        "g/bom/bom/7/bom-7.pom",
    ]
    assert list(needed("g/moved/1/moved-1.pom", look)) == ["g/new/1/new-1.pom"]
    assert list(needed("g/none/1/none-1.pom", look)) == []


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa">]><project>&a;</project>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><project/>',
        "<project>" + "<a>" * 300,
        "<project>",
        "",
        "<project>&unknown;</project>",
    ],
)
def test_a_pom_that_is_refused(text: str) -> None:
    with pytest.raises(LockfileError) as caught:
        read_pom(text.encode(), "x.pom")
    assert (caught.value.where or "").startswith("x.pom")


def test_old_poms_have_entities_of_html() -> None:
    text = "<project><groupId>g</groupId><name>J&oslash;rgen &amp; Co</name></project>"
    assert read_pom(text.encode(), "x.pom").group == "g"
