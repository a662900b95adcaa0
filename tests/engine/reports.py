"""A report with all that a page can have, and names that want to be more than text."""

from __future__ import annotations

import hashlib
from typing import Any

from vendorpack.bundle.manifest import Head, LockfileHash, Manifest
from vendorpack.changes import changes
from vendorpack.model import Environment
from vendorpack.report.content import content_of
from vendorpack.report.page import render

HOSTILE = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=1">',
    "{{ 7 * 7 }}",
    "</td></table><h1>x",
    "\u202egnp.exe",
    "&lt;b&gt;",
)


def artifact(name: str, version: str = "1.0", **more: Any) -> dict[str, Any]:
    sha256 = hashlib.sha256(f"{name} {version}".encode()).hexdigest()
    return {
        "digests": [],
        "format": "npm",
        "name": name,
        "purl": f"pkg:npm/x{sha256[:8]}@{version}",
        "sha256": sha256,
        "size": 1000,
        "trust": "lockfile",
        "url": "https://registry.test/x.tgz",
        "version": version,
        "where": "package-lock.json:3",
        "why": [],
        **more,
    }


def manifest(*artifacts: dict[str, Any]) -> Manifest:
    locks = (LockfileHash("package-lock.json", "npm", "0" * 64),)
    head = Head("1" * 64, locks, {"npm": 1}, {}, artifacts, Environment())
    return Manifest(head, 315619200, (), ())


OLD = manifest(artifact("a", "1.0"), artifact("gone"))
NEW = manifest(
    artifact("a", "1.10", size=900, license="(mit or GPL-3.0)"),
    artifact("b", "1.9", size=12_000_000, format="cargo"),
    artifact("c", "1.2", size=11, trust="first-use", url="https://else.test/c"),
    *(artifact(name, "3", why=["dev"], where=f"{name}:1", license=name) for name in HOSTILE),
)


def page() -> str:
    """The report of all that, since the old one."""
    return render(content_of(NEW, "2" * 64), changes(OLD, NEW), "3" * 64)
