"""The wrappers of Maven and Gradle start offline, by the distribution that a bundle has."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import Machine, copy_project, extract, miss, pack, tool
from tests.real.test_maven import machine, maven
from tests.world import World
from tests.world.files import Files, zip_of

pytestmark = [pytest.mark.real, pytest.mark.network]

PLUGIN = "org.apache.maven.plugins:maven-wrapper-plugin:3.3.2:wrapper"
GRADLE_JARS = [Path(f"/usr/share/java/gradle-{name}.jar") for name in ("wrapper", "cli")]
"""Debian's: its wrapper has neither the other's classes in it nor a build receipt."""
PROGRAM = """\
package org.gradle.launcher;
public class GradleMain {
    public static void main(String[] args) { System.out.println("started offline"); }
}
"""


def test_a_maven_wrapper(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    program = maven("3.9")
    subprocess.run(
        [program, "-q", "-B", "-N", PLUGIN, "-Dtype=only-script", "-Dmaven=3.9.16"],
        cwd=project,
        check=True,
    )
    properties = project / ".mvn/wrapper/maven-wrapper.properties"
    (url,) = (
        line.partition("=")[2]
        for line in properties.read_text().splitlines()
        if line.startswith("distributionUrl=")
    )
    with urllib.request.urlopen(url) as answer:
        digest = hashlib.sha256(answer.read()).hexdigest()
    properties.write_text(f"{properties.read_text().rstrip()}\ndistributionSha256Sum={digest}\n")
    before = {p: p.read_bytes() for p in project.rglob("*") if p.is_file()}
    pack(real_cli, project, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target, env = machine(tmp_path)
    shown = target.offline("./mvnw", "--version", cwd=project, prefix=prefix, env=env)
    assert "Apache Maven 3.9.16" in shown and str(prefix) in shown
    assert {p: p.read_bytes() for p in before} == before


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as running:
        yield running


def distribution(folder: Path) -> bytes:
    """What the wrapper takes for Gradle: a jar with its main class."""
    (folder / "GradleMain.java").write_text(PROGRAM)
    subprocess.run([tool("javac"), "-d", folder, "GradleMain.java"], cwd=folder, check=True)
    name = "org/gradle/launcher/GradleMain.class"
    jar = zip_of({name: (folder / name).read_bytes()})
    folders = dict.fromkeys(("gradle-8.10/", "gradle-8.10/lib/", "gradle-8.10/bin/"), b"")
    programs = {"gradle-8.10/lib/gradle-launcher-8.10.jar": jar, "gradle-8.10/bin/gradle": b""}
    return zip_of({**folders, **programs})


def gradle_project(folder: Path, url: str, digest: str) -> Path:
    wrapper = folder / "gradle/wrapper"
    wrapper.mkdir(parents=True)
    for jar in GRADLE_JARS:
        if not jar.exists():
            miss(f"{jar} is not there: install gradle")
        shutil.copy(jar, wrapper)
    (wrapper / "build-receipt.properties").write_text("versionNumber=4.4.1\n")
    (wrapper / "gradle-wrapper.properties").write_text(
        "distributionBase=GRADLE_USER_HOME\n"
        "distributionPath=wrapper/dists\n"
        f"distributionUrl={url.replace(':', chr(92) + ':')}\n"
        f"distributionSha256Sum={digest}\n"
        "zipStoreBase=GRADLE_USER_HOME\n"
        "zipStorePath=wrapper/dists\n"
    )
    return folder


def test_a_gradle_wrapper(world: World, tmp_path: Path) -> None:
    """The distribution is a stand-in, from a mirror."""
    (tmp_path / "made").mkdir()
    data = distribution(tmp_path / "made")
    mirror = world.site(tls=True).mount("", Files())
    url = mirror.put("distributions/gradle-8.10-bin.zip", data)
    host = mirror.origin.removeprefix("https://")
    cli = Cli(tmp_path, environ=world.environ)
    wrong = gradle_project(tmp_path / "wrong", url, "0" * 64)
    assert cli("pack", wrong, "--allow-host", host).code == 8
    project = gradle_project(tmp_path / "project", url, hashlib.sha256(data).hexdigest())
    assert cli("pack", project).code == 6  # a lockfile grants itself no host
    cli.ok("pack", project, "--allow-host", host, "-o", tmp_path / "deps.tar.zst")
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    there = copy_project(project, tmp_path / "target/project")
    wrapper = there / "gradle/wrapper"
    jars = ":".join(map(str, [wrapper, *(wrapper / jar.name for jar in GRADLE_JARS)]))
    shown = Machine(tmp_path / "target").offline(
        tool("java"), "-cp", jars, "org.gradle.wrapper.GradleWrapperMain", cwd=there, prefix=prefix
    )
    assert "started offline" in shown
