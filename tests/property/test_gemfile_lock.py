"""`Gemfile.lock`: whatever is written is read back, and nothing but our errors comes of noise."""

from __future__ import annotations

import contextlib
import string

from hypothesis import given, settings
from hypothesis import strategies as st

from vendorpack.digest import Digest, Integrity
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats.bundler.artifacts import git_url, repository_hash, repository_name
from vendorpack.formats.bundler.lockfile import GemId, read_lock

names = st.text(string.ascii_letters + string.digits + "._-", max_size=8).map(lambda s: "g" + s)
versions = st.lists(st.integers(0, 10**6).map(str), min_size=1, max_size=4).map(".".join)
platforms = st.sampled_from(["ruby", "java", "x86_64-linux", "arm64-darwin-23", "x64-mingw-ucrt"])
gems = st.dictionaries(
    st.builds(GemId, names, versions, platforms),
    st.none() | st.binary(min_size=32, max_size=32),
    max_size=8,
)
LINES = (
    *("GEM", "GIT", "PATH", "PLUGIN SOURCE", "CHECKSUMS", "PLATFORMS", "BUNDLED WITH", "", "X"),
    *("  remote: https://gems.example/", "  revision: " + "a" * 40, "  specs:", "  a: b"),
    *("    a (1.0)", "    a (1.0-java)", "      b (~> 1)", "  a (1.0) sha256=" + "0" * 64),
    *("  a (1.0)", "    a", "\t", "=======", "\0", "\ufeffGEM"),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(gems, max_size=3), st.booleans())
def test_what_is_written_is_read(sources: list[dict[GemId, bytes | None]], windows: bool) -> None:
    lines = ["DEPENDENCIES"]
    checksums: dict[GemId, bytes] = {}
    for number, source in enumerate(sources):
        lines += ["GEM", f"  remote: https://{number}.example/", "  specs:"]
        for gem, digest in source.items():
            lines += [f"    {gem.name} ({gem.full_version})", "      other (>= 1)"]
            if digest is not None:
                checksums.setdefault(gem, digest)
        lines.append("")
    lines.append("CHECKSUMS")
    lines += [f"  {g.name} ({g.full_version}) sha256={d.hex()}" for g, d in checksums.items()]
    lock = read_lock(("\r\n" if windows else "\n").join(lines).encode(), "L")
    assert [(gem.id, gem.remotes, gem.integrity) for gem in lock.gems] == [
        (
            gem,
            (f"https://{number}.example/",),
            Integrity.of([Digest("sha256", checksums[gem])] if gem in checksums else []),
        )
        for number, source in enumerate(sources)
        for gem in source
    ]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=12).map("\n".join).map(str.encode) | st.binary())
def test_noise_is_an_error_of_ours_or_a_lock(data: bytes) -> None:
    with contextlib.suppress(LockfileError, UnsupportedError):
        for gem in read_lock(data, "L").gems:
            assert "/" not in gem.id.file_name and "\0" not in gem.id.file_name


@settings(max_examples=200, deadline=None)
@given(st.text() | st.text().map("https://".__add__) | st.text().map("git@x:".__add__))
def test_any_repository_has_a_safe_name(remote: str) -> None:
    with contextlib.suppress(UnsupportedError):
        url = git_url(remote, "L:1")
        assert url.startswith(("https://", "ssh://"))
        assert "/" not in repository_name(remote)
        assert len(repository_hash(remote)) == 40
