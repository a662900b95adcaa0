"""Gems for Bundler's row, made here: rubygems.org's own cannot be kept by every mirror."""

from __future__ import annotations

import base64
import hashlib
import random
import shutil
import subprocess
from pathlib import Path

from tests.world.gems import GemSource, Release

GEM_HOSTS = ("rubygems.org", "index.rubygems.org")

_COUNT = 60
_SIZE = 100_000
_BUILD = """
require "rubygems/package"
Gem::DefaultUserInteraction.ui = Gem::SilentUI.new
ARGV.each do |name|
  Gem::Package.build(Gem::Specification.new do |s|
    s.name, s.version, s.summary, s.authors = name, "1.0.0", "made", ["x"]
    s.files = ["lib/#{name}.rb"]
  end)
end
"""


def make_gems(folder: Path) -> tuple[Path, GemSource]:
    """A project that is locked to gems of rubygems.org, and what that answers for them.

    Raises `OSError` without Ruby, `subprocess.CalledProcessError`.
    """
    ruby = shutil.which("ruby")
    if ruby is None:
        raise FileNotFoundError("ruby is not installed")
    names = [f"made{number}" for number in range(_COUNT)]
    noise = random.Random(1)
    (folder / "lib").mkdir(parents=True)
    for name in names:
        text = base64.b64encode(noise.randbytes(_SIZE // 2)).decode()
        (folder / "lib" / f"{name}.rb").write_text(f"# {text}\n" * 2)
    subprocess.run(
        [ruby, "-e", _BUILD, *names],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": "1000000000", "HOME": str(folder)},
        check=True,
        capture_output=True,
    )
    releases = [
        Release(name, "1.0.0", (folder / f"{name}-1.0.0.gem").read_bytes()) for name in names
    ]
    project = folder / "project"
    project.mkdir()
    (project / "Gemfile").write_text(
        'source "https://rubygems.org"\n' + "".join(f'gem "{name}"\n' for name in names)
    )
    listed = sorted(releases, key=lambda release: release.name)
    lines = ["GEM", "  remote: https://rubygems.org/", "  specs:"]
    lines += [f"    {release.name} (1.0.0)" for release in listed]
    lines += ["", "PLATFORMS", "  ruby", "", "DEPENDENCIES"]
    lines += [f"  {release.name}" for release in listed]
    lines += ["", "CHECKSUMS"]
    lines += [
        f"  {release.name} (1.0.0) sha256={hashlib.sha256(release.data).hexdigest()}"
        for release in listed
    ]
    (project / "Gemfile.lock").write_text("\n".join([*lines, "", "BUNDLED WITH", "   2.6.7", ""]))
    return project, GemSource(releases=releases)
