"""Where cargo's packages come from, and the folders of `CARGO_HOME` named after it.

A source is written `<kind>+<url>` in `Cargo.lock`; `sparse+` is part of the URL for cargo, so
of its hash too. The folder of a registry is `<host>-<hash of kind and URL>`, that of a git
repository `<last part of the path>-<hash of the URL>`. The hash is written as 16 hex digits,
lowest byte first:

- cargo 1.85 and newer: SipHash-1-3-128, `low * 3 + high`, the kind as one byte; of the canonical
  URL;
- older: SipHash-2-4, the kind as eight bytes; of a registry's URL as it is, but of a repository's
  canonical one.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.formats.cargo.siphash import siphash_1_3_128, siphash_2_4

CRATES_IO_INDEX: Final = "https://index.crates.io/"
"""The sparse index that cargo asks by default since 1.70."""
CRATES_IO_DOWNLOADS: Final = "https://static.crates.io/crates"
"""The `dl` of that index's config.json."""
CRATES_IO_GIT_INDEX: Final = "https://github.com/rust-lang/crates.io-index"
"""What lockfiles and manifests call the default registry, whichever index is asked."""

_CASELESS_HOST: Final = "github.com"
"""The one host whose paths cargo folds to lower case."""
_KINDS: Final = {"registry": 2, "sparse": 3}
_PACKAGE_SOURCE: Final = re.compile(
    r"(registry|sparse|git)\+([a-z][a-z0-9+.-]*://[^\x00-\x20\x7f]+)"
)


@dataclass(frozen=True, slots=True, order=True)
class Registry:
    """A registry as the lockfile names it: `registry+<url of a git index>` or `sparse+<url>`."""

    source: str

    @property
    def is_crates_io(self) -> bool:
        """Whether it is the default registry."""
        return self.source in (f"registry+{CRATES_IO_GIT_INDEX}", f"sparse+{CRATES_IO_INDEX}")

    @property
    def sparse_index(self) -> str | None:
        """The address that its sparse index's files lie below; None for a git index."""
        if self.is_crates_io:
            return CRATES_IO_INDEX
        kind, _, url = self.source.partition("+")
        return url.rstrip("/") + "/" if kind == "sparse" else None

    @property
    def index(self) -> str:
        """The address of its index: what a sparse one's files lie below, or the repository."""
        return self.sparse_index or self.source.partition("+")[2]

    def folders(self, *, compat: bool) -> tuple[str, ...]:
        """Its folder's name, and with `compat` the name that cargo up to 1.84 gives it."""
        source = f"sparse+{CRATES_IO_INDEX}" if self.is_crates_io else self.source
        kind, _, url = source.partition("+")
        hashed = source if kind == "sparse" else url
        number = _KINDS[kind]
        host = urlsplit(url).hostname or ""
        names = [f"{host}-{_hash(bytes([number]) + _text(canonical_url(hashed)))}"]
        if compat:
            names.append(f"{host}-{_old_hash(number.to_bytes(8, 'little') + _text(hashed))}")
        return tuple(names)


def index_folder_before_sparse() -> str:
    """The default registry's folder for cargo up to 1.69, which reads its git index."""
    url = canonical_url(CRATES_IO_GIT_INDEX)
    text = _KINDS["registry"].to_bytes(8, "little") + _text(url)
    return f"{urlsplit(url).hostname}-{_old_hash(text)}"


def git_folders(url: str, *, compat: bool) -> tuple[str, ...]:
    """A git repository's folder name, and with `compat` the one of cargo up to 1.84."""
    hashed = canonical_url(url)
    last = urlsplit(hashed).path.rpartition("/")[2] or "_empty"
    names = [f"{last}-{_hash(_text(hashed))}"]
    if compat:
        names.append(f"{last}-{_old_hash(_text(hashed))}")
    return tuple(names)


def canonical_url(url: str) -> str:
    """The URL as cargo compares sources: see `CanonicalUrl::new` in its source."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    path = path.removesuffix("/")
    if host.rpartition("@")[2].lower() == _CASELESS_HOST:
        scheme, path = "https", path.lower()
    if "+" not in scheme:
        path = path.removesuffix(".git")
    return f"{scheme}://{host}{slash}{path}"


def package_source(text: str) -> tuple[str, str] | None:
    """Kind and URL of a lockfile's `source`; None if it is neither registry nor git."""
    match = _PACKAGE_SOURCE.fullmatch(text)
    return (match[1], match[2]) if match else None


def _text(value: str) -> bytes:
    return value.encode() + b"\xff"


def _hash(data: bytes) -> str:
    low, high = siphash_1_3_128(data)
    return ((low * 3 + high) % (1 << 64)).to_bytes(8, "little").hex()


def _old_hash(data: bytes) -> str:
    return siphash_2_4(data).to_bytes(8, "little").hex()
