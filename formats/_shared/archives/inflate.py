"""Inflating: by zlib-ng, which takes half the time, or by zlib where it is not installed.

Both give the same bytes and take the same arguments.
"""

from __future__ import annotations

import importlib
import zlib
from typing import Any


def _fastest() -> Any:
    try:
        return importlib.import_module("zlib_ng.zlib_ng")
    except ImportError:
        return zlib


_LIBRARY = _fastest()

decompressobj = _LIBRARY.decompressobj
"""As `zlib.decompressobj`, but that it raises `InflateError`."""
InflateError: type[Exception] = _LIBRARY.error
crc32 = _LIBRARY.crc32
"""As `zlib.crc32`."""
