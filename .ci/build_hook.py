"""What a wheel needs that is not so in a checkout: `formats/` inside, and a README without links.

An editable install needs neither: there the symbolic link vendorpack/formats serves.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface


class FormatsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Put the top-level formats/ folder into a wheel as vendorpack.formats."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"]["formats"] = "vendorpack/formats"


class ReadmeHook(MetadataHookInterface):
    """Give an index the README with the words of links to files, which it does not have."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = re.sub(r"\[([^\]]*)\]\((?!https?:|#)[^)]*\)", r"\1", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
