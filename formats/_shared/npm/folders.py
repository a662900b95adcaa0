"""Where JavaScript clients keep what they may lose: the user's folder for caches."""

from __future__ import annotations

from pathlib import Path

from vendorpack.project import Host


def user_caches(host: Host) -> Path:
    """The folder, as the system has it. A relative XDG_CACHE_HOME does not count."""
    if host.os == "windows":
        return host.local_app_data
    if host.os == "macos":
        return host.home / "Library" / "Caches"
    xdg = host.environ.get("XDG_CACHE_HOME", "")
    return Path(xdg) if xdg.startswith("/") else host.home / ".cache"
