"""What each command does, once the command line has been read."""

from pathlib import Path
from typing import Final

DEFAULT_OUTPUT: Final = Path("deps.tar.zst")
"""Where a bundle is written if nobody says otherwise."""
