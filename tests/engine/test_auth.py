"""Addresses, credentials, netrc, proxies and certificate authorities, without a network."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from vendorpack.errors import UsageError
from vendorpack.fetch.address import AddressError, basic, parse_address
from vendorpack.fetch.auth import Logins, Netrc, read_netrc
from vendorpack.fetch.proxy import Proxies
from vendorpack.fetch.tls import trust
from vendorpack.model import Credential

CANARY = "hunter2-canary"


# -- addresses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://Registry.Example/a/B", "https://registry.example/a/B"),
        ("HTTPS://registry.example:443", "https://registry.example/"),
        ("http://registry.example:443/a", "http://registry.example:443/a"),
        ("https://registry.example:80/a", "https://registry.example:80/a"),
        ("http://registry.example:8080/?q=1#f", "http://registry.example:8080/?q=1"),
        ("https://u:p@registry.example/a@b", "https://registry.example/a@b"),
        ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443/"),
        ("https://registry.example/@a%2fb/c d/ü?x=y z", None),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
    ],
)
def test_an_address_has_one_form(text: str, url: str | None) -> None:
    wanted = url or "https://registry.example/@a%2fb/c%20d/%C3%BC?x=y%20z"
    address = parse_address(text)
    assert address.url == wanted
    assert parse_address(address.url).url == wanted


@pytest.mark.parametrize("location", ["/a\r\nX: y", "//good\t.example/", "http://x.example/\0"])
def test_where_no_redirect_leads(location: str) -> None:
    """The standard library takes some of it out without a word."""
    with pytest.raises(AddressError, match="control character"):
        parse_address("https://registry.example/").join(location)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "registry.example/a",
        "//registry.example/a",
        "ftp://registry.example/a",
        "file:///etc/passwd",
        "https:///a",
        "https://u:p@/a",
        "https://a b/",
        "https://good.example\\@evil.example/",
        "https://good.example\\.evil.example/",
        "https://good.example%2eevil.example/",
        "https://good.example/\r\nX: y",
        "https://good.example/\x00",
        "https://good\t.example/",
        "https://good.example:x/",
        "https://good.example:99999/",
        "https://[::1/",
        "https://[::1%25eth0]/",
        "https://[v1.a]/",
        "https://good.example/\ud800",
        "https://\u2100.example/",
        "https://" + "a" * 64 + "ü.example/",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_address(text)
    assert "example" not in str(caught.value)


MARKS = tuple("/\\@:#?&;[]. \t\n\u3002ü")
PIECES = st.sampled_from(
    ["https://", "//", "%2f", "..", "::1", "good.example", "evil.example", "443", "80", *MARKS]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_two_more_parsers_see_the_same_host(tail: str) -> None:
    try:
        address = parse_address(f"https://{tail}")
    except AddressError:
        return
    ours = (address.scheme, address.host, address.port)
    parts, url = urlsplit(address.url), URL(address.url, encoded=True)
    assert (parts.scheme, parts.hostname, parts.port or 443) == ours
    assert (url.scheme, url.raw_host, url.port) == ours
    assert "@" not in parts.netloc
    assert address.url.isascii()
    assert parse_address(address.url).url == address.url


# -- which credentials ---------------------------------------------------------------------

CREDENTIALS = (
    Credential("https://registry.example/team/", "team"),
    Credential("https://registry.example/team/inner", "inner"),
    Credential("https://registry.example:8443/", "port"),
    Credential("https://open.example", "all"),
)


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("https://registry.example/team/a.tgz", "team"),
        ("https://REGISTRY.example:443/team/a.tgz?x=1", "team"),
        ("https://registry.example/team", "team"),
        ("https://registry.example/team/inner/a", "inner"),
        ("https://registry.example/team/innermost/a", "team"),
        ("https://registry.example/teams/a", None),
        ("https://registry.example/", None),
        ("https://registry.example/Team/a", None),
        ("https://registry.example/team/../other/a", None),
        ("https://registry.example/team/%2E%2e/other/a", None),
        ("https://registry.example/team/..%2fother/a", None),
        ("https://registry.example/team/x\\..\\..\\other", None),
        ("http://registry.example/team/a", None),
        ("https://registry.example:8443/team/a", "port"),
        ("https://registry.example.evil.example/team/a", None),
        ("https://evil.example/team/a", None),
        ("https://registry.example@evil.example/team/a", basic("registry.example", "")),
        ("https://open.example/any/../thing", "all"),
    ],
)
def test_a_credential_goes_below_its_prefix_only(url: str, header: str | None) -> None:
    address = parse_address(url)
    login = Logins(CREDENTIALS, Netrc()).choose(address, address)
    assert (login and login.header) == header


def test_the_order_of_sources() -> None:
    netrc = Netrc(Path("/n"), {"registry.example": "netrc"})
    logins = Logins(CREDENTIALS, netrc)
    began = parse_address("https://u:p@registry.example/team/a")
    elsewhere = parse_address("https://registry.example/other")
    without = parse_address("https://registry.example/")

    def header(url: str, start: str) -> str | None:
        login = logins.choose(parse_address(url), parse_address(start))
        return None if login is None else login.header

    assert header(began.url, "https://u:p@registry.example/team/a") == "team"
    assert header(elsewhere.url, "https://u:p@registry.example/team/a") == basic("u", "p")
    assert header(elsewhere.url, without.url) == "netrc"
    assert header("https://other.example/", "https://u:p@registry.example/") is None
    assert header("http://registry.example/", "https://u:p@registry.example/") == "netrc"


def test_an_origin_that_gets_nothing_of_netrc() -> None:
    netrc = Netrc(Path("/n"), {"registry.example": "netrc", "open.example": "netrc"})
    logins = Logins(CREDENTIALS, netrc, ["https://registry.example"])

    def header(url: str) -> str | None:
        address = parse_address(url)
        login = logins.choose(address, address)
        return None if login is None else login.header

    assert header("https://registry.example/team/a") == "team"
    assert header("https://u:p@registry.example/other") == basic("u", "p")
    assert header("https://registry.example/other") is None
    assert header("https://registry.example:444/other") == "netrc"
    told = logins.explain_absence(parse_address("https://registry.example/other"))
    assert "the netrc file is not to be read for it" in told


@pytest.mark.parametrize(
    "credential",
    [
        Credential("registry.example", f"Bearer {CANARY}"),
        Credential(f"ftp://u:{CANARY}@registry.example/", "Bearer x"),
        Credential(f"https://u:a/{CANARY}@registry.example/", "Bearer x"),
        Credential("https://registry.example/", f"Bearer {CANARY}\udc80"),
        Credential("https://registry.example/", f"Bearer {CANARY}\r\nX: y"),
    ],
)
def test_credentials_that_cannot_be_sent(credential: Credential) -> None:
    with pytest.raises(UsageError) as caught:
        Logins([credential], Netrc())
    assert CANARY not in str(caught.value)


# -- netrc ---------------------------------------------------------------------------------


def test_a_machine_with_a_port_goes_before_one_without() -> None:
    netrc = Netrc(Path("/n"), {"one.example": "any port", "one.example:8443": "this port"})
    logins = Logins((), netrc)
    for url, header in (
        ("https://one.example:8443/a", "this port"),
        ("https://one.example/a", "any port"),
        ("https://one.example:9443/a", "any port"),
    ):
        address = parse_address(url)
        login = logins.choose(address, address)
        assert login is not None and login.header == header


def test_where_netrc_is_looked_for(tmp_path: Path) -> None:
    named = tmp_path / "named"
    named.write_text("machine Registry.Example login a password b\n")
    (tmp_path / "_netrc").write_text("machine b.example login c\npassword d\n")
    assert read_netrc({}, tmp_path / "none") == Netrc()
    assert read_netrc({}, tmp_path).headers == {"b.example": basic("c", "d")}
    (tmp_path / ".netrc").write_text("default login x password y\n")
    assert read_netrc({}, tmp_path).headers == {}
    found = read_netrc({"NETRC": str(named)}, tmp_path)
    assert found.headers == {"registry.example": basic("a", "b")}
    assert read_netrc({"NETRC": "/dev/null"}, tmp_path) == Netrc()


@pytest.mark.parametrize(
    "content",
    [
        f"machine a.example login me {CANARY}\n".encode(),
        f"{CANARY}\n".encode(),
        b"machine a.example login \xff\xfe password x\n",
        b"machine",
        b"macdef x\nnever ends",
        b"\x00\x01",
    ],
)
def test_a_malformed_netrc_is_told_when_it_matters(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".netrc").write_bytes(content)
    netrc = read_netrc({}, tmp_path)
    address = parse_address("https://b.example/")
    logins = Logins((), netrc)
    assert logins.choose(address, address) is None
    told = logins.explain_absence(address)
    assert str(tmp_path / ".netrc") in told
    assert CANARY not in told + repr(netrc)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60).map(lambda tail: b"machine a login b password c\n" + tail))
def test_netrc_never_raises(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "netrc"
    path.write_bytes(content)
    read_netrc({"NETRC": str(path)}, path.parent)


# -- proxies -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({}, "https://a.example/", None),
        ({"HTTPS_PROXY": "http://p.example:3128"}, "https://a.example/", "http://p.example:3128"),
        ({"https_proxy": "p.example:3128"}, "https://a.example/", "http://p.example:3128"),
        ({"https_proxy": "http://l", "HTTPS_PROXY": "http://u"}, "https://a.example/", "http://l"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://u"}, "https://a.example/", "http://u"),
        ({"https_proxy": "http://p"}, "http://a.example/", None),
        ({"all_proxy": "https://p:1/"}, "http://a.example/", "https://p:1"),
        ({"ALL_PROXY": "http://x", "http_proxy": "http://p"}, "http://a.example/", "http://p"),
        ({"HTTP_PROXY": "http://p"}, "http://a.example/", "http://p"),
        ({"HTTP_PROXY": "http://p", "REQUEST_METHOD": "GET"}, "http://a.example/", None),
    ],
)
def test_proxies_of_the_environment(environ: dict[str, str], url: str, proxy: str | None) -> None:
    chosen = Proxies(environ, {}).choose(parse_address(url))
    assert (chosen and chosen.url) == proxy


@pytest.mark.parametrize(
    ("no_proxy", "url", "exempt"),
    [
        ("*", "https://a.example/", True),
        ("a.example", "https://a.example/", True),
        ("A.Example", "https://a.example/", True),
        ("a.example", "https://b.a.example/", True),
        (".a.example", "https://b.a.example/", True),
        ("*.a.example", "https://b.a.example/", True),
        ("a.example", "https://ba.example/", False),
        ("x.example, a.example", "https://a.example/", True),
        ("x.example a.example", "https://a.example/", True),
        ("a.example:8443", "https://a.example/", False),
        ("a.example:8443", "https://a.example:8443/", True),
        ("a.example:443", "https://a.example/", True),
        ("10.0.0.0/8", "https://10.1.2.3/", True),
        ("10.0.0.0/8", "https://11.1.2.3/", False),
        ("10.1.2.3", "https://10.1.2.3/", True),
        ("1.2.3", "https://10.1.2.3/", False),
        ("::1", "https://[::1]/", True),
        ("[::1]:8443", "https://[::1]:8443/", True),
        ("[::1]:8443", "https://[::1]/", False),
        ("fd00::/8", "https://[fd12::1]/", True),
        (",, ,:,[],/", "https://a.example/", False),
        ("", "https://a.example/", False),
    ],
)
def test_no_proxy(no_proxy: str, url: str, exempt: bool) -> None:
    proxies = Proxies({"NO_PROXY": no_proxy}, {"https": "http://p.example"})
    assert (proxies.choose(parse_address(url)) is None) == exempt


def test_configured_proxies_go_over_the_environment() -> None:
    proxies = Proxies({"all_proxy": "http://env"}, {"https": "http://me:p%40@own", "http": ""})
    chosen = proxies.choose(parse_address("https://a.example/"))
    assert chosen is not None
    assert (chosen.url, chosen.authorization) == ("http://own", basic("me", "p@"))
    assert "Basic" not in repr(chosen)
    assert proxies.choose(parse_address("http://a.example/")) is None


@pytest.mark.parametrize("proxy", [f"socks5://u:{CANARY}@p:1", "http://", "http://p:x"])
def test_proxies_that_cannot_be_used(proxy: str) -> None:
    with pytest.raises(UsageError, match="SOCKS is not supported") as caught:
        Proxies({"https_proxy": proxy}, {}).choose(parse_address("https://a.example/"))
    assert CANARY not in str(caught.value)


# -- certificate authorities ---------------------------------------------------------------


def test_unusable_ca_files(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no certificate")
    for name in ("text", "missing", "nul\0"):
        path = str(tmp_path / name)
        with pytest.raises(UsageError, match="certificate authorities cannot be used") as caught:
            trust({"CURL_CA_BUNDLE": path}, ())
        assert "from CURL_CA_BUNDLE" in (caught.value.where or "")
        with pytest.raises(UsageError):
            trust({}, (path,))
    # Folders are searched when a certificate is looked for, and may be empty.
    trust({"SSL_CERT_DIR": str(tmp_path), "REQUESTS_CA_BUNDLE": str(tmp_path)}, ())
    trust({"SSL_CERT_FILE": ""}, ())
