"""What the wrappers of Gradle and Maven download, where nothing pins it.

A wrapper's properties file with `distributionSha256Sum` is a lockfile itself. Without it
`./gradlew` and `./mvnw` download `distributionUrl` all the same (Gradle 4 to 9; Maven's wrapper
3.3, of the type only-script).
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from vendorpack.errors import LockfileError
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.formats._shared.text.properties_text import load_properties
from vendorpack.model import Need, Wanted
from vendorpack.project import Project

_ONLY_SCRIPT = "only-script"


def wrapper_needs(project: Project, path: str, command: str, installed: str) -> Iterator[Need]:
    """The distribution of the wrapper whose properties file is at `path`, if nothing pins it.

    path: beside the lockfile. command: what starts the wrapper. installed: what does without it.
    """
    where = str(project.lockfile.parent / path)
    try:
        found = load_properties(project.read(path) or b"", where)
    except LockfileError:
        return  # the wrapper itself will tell
    url = found.get("distributionUrl")
    kind = found.get("distributionType")
    pinned = "distributionSha256Sum" in found
    if url is None or pinned or not is_http(url.value) or urlsplit(url.value).username:
        return
    if "wrapperUrl" in found if kind is None else kind.value != _ONLY_SCRIPT:
        return
    file = urlsplit(url.value).path.rpartition("/")[2]
    yield Need(
        f"the wrapper of {installed}",
        f"{command}, and distributionSha256Sum is missing",
        f"{where}:{url.line}",
        (Wanted(file, url.value),),
        f"an installed `{installed}`",
    )
