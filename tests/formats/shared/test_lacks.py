"""What is said of requests in vain, and of clients' own words for what they lack."""

from __future__ import annotations

import pytest

from vendorpack.formats import load


@pytest.mark.parametrize(
    ("room", "url", "name"),
    [
        ("pip", "https://pypi.org/simple/flit-core/", "flit-core"),
        ("poetry", "https://pypi.org/pypi/Click/8.5.1/json", "click"),
        ("uv", "https://files.pythonhosted.org/packages/3/a/tomli_w-1.2.0.tar.gz", "tomli-w"),
        ("pdm", "https://mirror.example/simple/six/", "six"),
        ("cargo", "https://index.crates.io/ry/u-/ryu-js", "ryu-js"),
        ("cargo", "https://static.crates.io/crates/ryu/ryu-1.0.1.crate", "ryu"),
        ("gomod", "https://proxy.golang.org/github.com/!burnt!sushi/toml/@v/v1.4.0.zip",
         "github.com/BurntSushi/toml"),
        ("gomod", "https://proxy.golang.org/golang.org/x/tools/@latest", "golang.org/x/tools"),
        ("bundler", "https://rubygems.org/gems/rake-13.2.1.gem", "rake-13.2.1"),
        ("bundler", "https://index.rubygems.org/info/rake", "rake"),
    ],
)  # fmt: skip
def test_a_package_that_was_asked_for(room: str, url: str, name: str) -> None:
    said = load(room).explain_request(url)
    assert said is not None and said.startswith(f"{name} is not in the bundle")
    assert load(room).explain_request("https://example.com/file.tar.gz") is None


@pytest.mark.parametrize(
    ("room", "text", "what", "remedy"),
    [
        (
            "pip",
            "  pip subprocess to install build dependencies did not run successfully.\n"
            "      ERROR: No matching distribution found for setuptools>=40.8.0\n",
            "setuptools>=40.8.0",
            '--pip-extra-build-requires "setuptools>=40.8.0"',
        ),
        (
            "pip",
            "  Installing build dependencies: finished with status 'done'\n"
            "ERROR: No matching distribution found for docopt==0.6.2\n",
            "docopt==0.6.2",
            "what the lockfile names is packed",
        ),
        (
            "uv",
            "  cause: Failed to resolve requirements from `build-system.requires`\n"
            "  cause: Because setuptools was not found in the cache and you require …\n",
            "setuptools",
            "--uv-extra-build-requires",
        ),
        (
            "uv",
            "  ╰─▶ Network connectivity is disabled, but the\n      requested data wasn't found in "
            "the cache for:\n      `https://x.example/31/click-8.5.1-py3-none-any.whl`\n",
            "click",
            "what the lockfile names is packed",
        ),
        (
            "cargo",
            "error: no matching package named `ryu` found\nlocation searched: crates.io index\n",
            "ryu",
            "what Cargo.lock names is packed",
        ),
        (
            "cargo",
            "error: the lock file /p/Cargo.lock needs to be updated but --frozen was passed\n",
            "a Cargo.lock that fits Cargo.toml",
            "cargo generate-lockfile",
        ),
        (
            "gomod",
            "main.go:5:2: no required module provides package golang.org/x/exp/maps; to add it:\n",
            "golang.org/x/exp/maps",
            "go mod tidy",
        ),
        (
            "gomod",
            "go: golang.org/x/tools/cmd/stringer@latest: module lookup disabled by GOPROXY=off\n",
            "golang.org/x/tools/cmd/stringer@latest",
            "a requirement of go.mod",
        ),
        (
            "gomod",
            "go: go.mod requires go >= 1.99 (running go 1.21.1; GOTOOLCHAIN=local)\n",
            "go >= 1.99",
            "--gomod-toolchain yes",
        ),
        (
            "bundler",
            "Could not find gem 'rake (= 13)' in locally installed gems.\n",
            "rake (= 13)",
            "what Gemfile.lock names is packed",
        ),
        (
            "npm",
            "npm error request to https://registry.npmjs.org/kleur/-/kleur-4.1.5.tgz failed: cache "
            "mode is 'only-if-cached' but no cached response is available.\n",
            "https://registry.npmjs.org/kleur/-/kleur-4.1.5.tgz",
            "kleur is not in the bundle",
        ),
        (
            "pnpm",
            "A package is missing from the store but cannot download it in offline mode. The "
            "missing package may be downloaded from https://r.example/k/-/k-1.0.0.tgz.\n",
            "https://r.example/k/-/k-1.0.0.tgz",
            "k is not in the bundle",
        ),
    ],
)
def test_in_the_client_s_words(room: str, text: str, what: str, remedy: str) -> None:
    (found,) = load(room).explain_output(text)
    assert found.what == what
    assert remedy in found.remedy
    assert list(load(room).explain_output("error: something else\n")) == []


def test_several_gems() -> None:
    text = "Could not find native-1.0.0, chain0-1.0.0 in any of the sources\n"
    found = load("bundler").explain_output(text)
    assert [one.what for one in found] == ["native-1.0.0", "chain0-1.0.0"]
