"""What each command does, once the command line has been read."""

from pathlib import Path
from typing import Final

DEFAULT_OUTPUT: Final = Path("deps.tar.zst")
"""Where a bundle is written if nobody says otherwise."""


def file_name(output: Path) -> str:
    """What a bundle for this output is called on the way there: its end says what it is."""
    return "deps.tar" if output.suffix == ".tar" else DEFAULT_OUTPUT.name
