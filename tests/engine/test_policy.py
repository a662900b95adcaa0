"""Which hosts, schemes and hashes are let through."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vendorpack.digest import Digest, Integrity
from vendorpack.errors import PolicyError
from vendorpack.model import Artifact
from vendorpack.policy import Policy, is_private, is_private_address, origin_of

SHA512 = Integrity.of([Digest("sha512", b"x" * 64)])
SHA1 = Integrity.of([Digest("sha1", b"x" * 20)])


def artifact(url: str = "https://registry.example/a", integrity: Integrity = SHA512) -> Artifact:
    return Artifact(
        name="@s/a",
        version="1.0",
        purl="pkg:npm/%40s/a@1.0",
        url=url,
        integrity=integrity,
        where="lock.json:7",
    )


POLICY = Policy(
    origins=frozenset({"https://registry.example", "http://127.0.0.1:4873"}),
    allow_hosts=frozenset({"cdn.example", "http://plain.example", "odd.example:8443"}),
)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://registry.example/a.tgz", True),
        ("https://REGISTRY.example:443/a.tgz", True),
        ("https://user:secret@registry.example/a.tgz", True),
        ("https://registry.example:8443/a.tgz", False),
        ("http://registry.example/a.tgz", False),
        ("https://registry.example.evil.example/a.tgz", False),
        ("https://registry.example@evil.example/a.tgz", False),
        ("http://127.0.0.1:4873/a", True),
        ("https://cdn.example/x", True),
        ("http://cdn.example/x", False),
        ("http://plain.example/x", True),
        ("https://odd.example:8443/", True),
        ("https://odd.example/", False),
        ("git+https://registry.example/r.git#abc", True),
        ("git+ssh://cdn.example/r.git", True),
        ("git+http://plain.example/r.git", True),
        ("git+http://cdn.example/r.git", False),
        ("file:///etc/passwd", False),
        ("ftp://registry.example/a", False),
        ("ext::sh -c true", False),
        ("https://[::1", False),
        ("https://host:99999999/", False),
        ("//registry.example/a", False),
        ("", False),
    ],
)
def test_hosts(url: str, allowed: bool) -> None:
    if allowed:
        POLICY.check(url)
        POLICY.check_hosts([artifact(url)])
    else:
        with pytest.raises(PolicyError) as error:
            POLICY.check(url)
        assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("source", "target", "allowed"),
    [
        ("https://registry.example/a", "https://anywhere.example/a", True),
        ("https://registry.example/a", "http://anywhere.example/a", False),
        ("http://127.0.0.1:4873/a", "http://127.0.0.1:9/a", True),
        ("http://127.0.0.1:4873/a", "https://anywhere.example/a", True),
        ("https://registry.example/a", "https://127.0.0.1/a", False),
        ("https://registry.example/a", "https://169.254.169.254/latest", False),
        ("https://registry.example/a", "https://[::ffff:10.0.0.1]/a", False),
        ("https://registry.example/a", "https://localhost./a", False),
        ("https://registry.example/a", "https://x.localhost/a", False),
        ("https://registry.example/a", "https://2852039166/latest", False),
        ("https://registry.example/a", "https://0xa9fea9fe/latest", False),
        ("https://registry.example/a", "https://0251.0376.0251.0376/latest", False),
        ("https://registry.example/a", "https://127.1/", False),
        ("https://registry.example/a", "https://0/", False),
        ("https://registry.example/a", "https://[64:ff9b::a9fe:a9fe]/", False),
        ("https://registry.example/a", "https://[2002:a9fe:a9fe::]/", False),
        ("https://registry.example/a", "https://[::127.0.0.1]/", False),
        ("https://registry.example/a", "https://[fe80::1]/", False),
        ("https://registry.example/a", "https://[64:ff9b::808:808]/", True),
        ("https://registry.example/a", "https://134744072/", True),  # 8.8.8.8
        ("https://registry.example/a", "file:///etc/passwd", False),
        ("https://10.1.2.3/a", "https://10.1.2.4/a", True),
        ("https://registry.example/a", "http://127.0.0.1:4873/a", True),  # named by the user
    ],
)
def test_redirects(source: str, target: str, allowed: bool) -> None:
    if allowed:
        POLICY.check(target, redirected_from=source)
    else:
        with pytest.raises(PolicyError):
            POLICY.check(target, redirected_from=source)


def test_every_refused_host_is_named_at_once() -> None:
    with pytest.raises(PolicyError) as error:
        POLICY.check_hosts([artifact("https://a.example/"), artifact("http://b.example:1/")])
    assert error.value.fix is not None
    assert "--allow-host a.example --allow-host http://b.example:1" in error.value.fix
    assert error.value.where is not None and "lock.json:7: @s/a 1.0" in error.value.where


def test_every_address_of_an_artifact_counts() -> None:
    good, foreign = "https://registry.example/a", "https://a.example/"
    mirrored = replace(artifact(good), fetch_from=(good, foreign))
    with pytest.raises(PolicyError, match=r"a\.example"):
        POLICY.check_hosts([mirrored])


@pytest.mark.parametrize("pattern", ["@s/a", "@s/a@1.0", "@s/*", "*"])
def test_hashes(pattern: str) -> None:
    missing, weak = artifact(integrity=Integrity()), artifact(integrity=SHA1)
    Policy().check_hashes([artifact()])
    Policy().check_hashes([artifact(integrity=SHA1 | SHA512)])
    with pytest.raises(PolicyError, match="no hash"):
        Policy(allow_weak_hash=(pattern,)).check_hashes([missing])
    with pytest.raises(PolicyError, match="weak"):
        Policy(allow_missing_hash=(pattern,)).check_hashes([weak])
    Policy(allow_missing_hash=(pattern,), allow_weak_hash=(pattern,)).check_hashes([missing, weak])
    with pytest.raises(PolicyError):
        Policy(allow_missing_hash=("a", "@s/a@1")).check_hashes([missing])


def test_origin() -> None:
    assert origin_of("HTTPS://Host.Example:443/x?y#z") == "https://host.example"
    assert origin_of("http://[::1]:80/") == "http://[::1]"
    with pytest.raises(PolicyError):
        origin_of("no url at all")


def test_private() -> None:
    assert is_private("https://192.168.0.1/") and is_private("https://[fe80::1]/")
    assert not is_private("https://example.com/")


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("127.0.0.1", True),
        ("10.0.0.1", True),
        ("100.64.0.1", True),
        ("224.0.0.1", True),
        ("0.0.0.0", True),
        ("8.8.8.8", False),
        ("::1", True),
        ("::", True),
        ("fe80::1%eth0", True),
        ("fc00::1", True),
        ("ff02::1", True),
        ("::ffff:169.254.169.254", True),
        ("::ffff:8.8.8.8", False),
        ("239.1.1.1", True),
        ("::ffff:239.1.1.1", True),
        ("64:ff9b::7f00:1", True),
        ("2002:7f00:1::1", True),
        ("2606:4700::1111", False),
    ],
)
def test_private_addresses(address: str, private: bool) -> None:
    assert is_private_address(address) is private


def test_a_redirect_is_judged_by_what_its_name_resolves_to() -> None:
    to, came = "https://metadata.example/", "https://registry.example/a"
    assert POLICY.judges_addresses(to) and not POLICY.judges_addresses("https://cdn.example/x")
    POLICY.check_addresses(to, ["8.8.8.8"], redirected_from=came, before=["1.1.1.1"])
    POLICY.check_addresses(to, ["10.0.0.2"], redirected_from=came, before=["10.0.0.1"])
    for before in (["1.1.1.1"], []):
        with pytest.raises(PolicyError, match="leads to a private address"):
            POLICY.check_addresses(
                to, ["8.8.8.8", "169.254.169.254"], redirected_from=came, before=before
            )
