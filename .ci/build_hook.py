"""Put the top-level formats/ folder into a wheel as vendorpack.formats.

An editable install needs nothing: there the symbolic link vendorpack/formats serves.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FormatsHook(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"]["formats"] = "vendorpack/formats"
