"""The licence in a distribution's metadata (PEP 639), and in a commit's pyproject.toml.

`License-Expression` is an SPDX expression. Before there was that, `License` was any text, often the
whole licence, and classifiers named licences, some of them so that several can be meant: those are
taken only where nothing else is said, as the words that they are.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, BinaryIO, Final

from vendorpack.formats._shared.archives import zip_archive
from vendorpack.formats._shared.archives.tarball import first_file, package_path
from vendorpack.formats._shared.git.license import commit_reader
from vendorpack.formats._shared.python.wheels import is_wheel
from vendorpack.formats._shared.text.license_names import license_id, listed
from vendorpack.formats._shared.text.license_texts import recognised
from vendorpack.model import Artifact, LicenseReader

_MAX_METADATA: Final = 4 << 20
_LONGEST_NAME: Final = 200
_CLASSIFIER: Final = "License :: "
_OPERATOR: Final = re.compile(r"\s+(?:AND|OR)\s+", re.IGNORECASE)
_FIELD: Final = re.compile(r"([A-Za-z-]+):[ \t]*(.*(?:\n[ \t].*)*)")
_CLASSIFIED: Final = {
    "Blue Oak Model License (BlueOak-1.0.0)": "BlueOak-1.0.0",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "Eclipse Public License 1.0 (EPL-1.0)": "EPL-1.0",
    "Eclipse Public License 2.0 (EPL-2.0)": "EPL-2.0",
    "European Union Public Licence 1.1 (EUPL 1.1)": "EUPL-1.1",
    "European Union Public Licence 1.2 (EUPL 1.2)": "EUPL-1.2",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 1.0 (MPL)": "MPL-1.0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PostgreSQL License": "PostgreSQL",
    "The Unlicense (Unlicense)": "Unlicense",
    "Universal Permissive License (UPL)": "UPL-1.0",
    "University of Illinois/NCSA Open Source License": "NCSA",
    "Zero-Clause BSD (0BSD)": "0BSD",
}
"""Those of https://pypi.org/classifiers/ that one licence alone has."""
_NO_LICENSE: Final = frozenset({"", "OSI Approved"})


def of_metadata(data: bytes) -> str:
    """What METADATA or PKG-INFO declares."""
    head = data.decode("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")[0]
    expression = text = ""
    classifiers = []
    for name, value in _FIELD.findall(head):
        match name.lower():
            case "license-expression":
                expression = expression or value.strip()
            case "license":
                text = text or value.strip()
            case "classifier" if value.startswith(_CLASSIFIER):
                classifiers.append(value.strip())
    return expression or _chosen(text, classifiers)


def of_project(data: bytes) -> str:
    """What a pyproject.toml declares of its project."""
    try:
        project = tomllib.loads(data.decode())["project"]
        declared: Any = project.get("license", "")
        classifiers = [c for c in project.get("classifiers", ()) if isinstance(c, str)]
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
        return ""
    if isinstance(declared, str) and declared:
        return declared.strip()
    text = declared.get("text") if isinstance(declared, dict) else ""
    return _chosen(text if isinstance(text, str) else "", classifiers)


def _chosen(text: str, classifiers: Sequence[str]) -> str:
    text = "" if text.upper() == "UNKNOWN" else text
    is_name = "\n" not in text and len(text) <= _LONGEST_NAME
    if is_name and (found := license_id(text)):
        return found
    if is_name and all(map(license_id, _OPERATOR.split(text.strip("()")))):
        return text
    names = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith(_CLASSIFIER)]
    names = [name for name in names if name not in _NO_LICENSE]
    if names and all(name in _CLASSIFIED for name in names):
        return listed(_CLASSIFIED[name] for name in names)
    if text:
        return text if is_name else recognised(text) or listed(names)
    return listed(names)


def _read_zip(archive: BinaryIO, label: str, wanted: Callable[[str], bool]) -> str:
    for member in zip_archive.members(archive, label=label):
        if wanted(member.name) and member.size <= _MAX_METADATA:
            return of_metadata(b"".join(zip_archive.chunks(archive, member, label=label)))
    return ""


def _read_sdist(archive: BinaryIO) -> str:
    data = first_file(archive, "PKG-INFO", label="sdist", wanted=_is_metadata)
    return "" if data is None else of_metadata(data)


def _is_metadata(name: str) -> bool:
    return package_path(name) == "PKG-INFO"


def _is_wheels_metadata(name: str) -> bool:
    folder, _, file = name.partition("/")
    return folder.endswith(".dist-info") and file == "METADATA"


_WHEEL: Final = LicenseReader(
    "wheel-license-1", partial(_read_zip, label="wheel", wanted=_is_wheels_metadata)
)
_SDIST: Final = LicenseReader("sdist-license-1", _read_sdist)
_ZIPPED_SDIST: Final = LicenseReader(
    "zipped-sdist-license-1", partial(_read_zip, label="sdist", wanted=_is_metadata)
)


def of_file(filename: str) -> LicenseReader | None:
    """How a wheel or an sdist is asked, by its name."""
    if is_wheel(filename):
        return _WHEEL
    if filename.endswith(".zip"):
        return _ZIPPED_SDIST
    return _SDIST if filename.endswith((".tar.gz", ".tgz", ".tar")) else None


def of_commit(artifact: Artifact, subdirectory: str) -> LicenseReader:
    """How a project at a commit is asked."""
    return commit_reader("python", artifact, subdirectory, {"pyproject.toml": of_project})
