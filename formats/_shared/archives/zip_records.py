"""The records of a zip archive, as PKWARE's APPNOTE 6.3 has them; each begins with its magic."""

from __future__ import annotations

import struct
from typing import Final

LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
"""Before a file: version needed, flags, method, time, date, CRC-32, sizes packed and plain, lengths
of name and extra field, which follow."""
CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
"""In the directory: version made by, then as `LOCAL`; length of the comment, disk, internal and
external attributes, where the local header is."""
END: Final = struct.Struct("<4sHHHHIIH")
"""Disk, disk of the directory, files on this disk, files, the directory's size and place, length of
the comment that follows."""
END_64: Final = struct.Struct("<4sQHHIIQQQQ")
"""Bytes of what follows, versions made by and needed, then as `END`."""
LOCATOR_64: Final = struct.Struct("<4sIQI")
"""Disk of `END_64`, where it is, disks."""

LOCAL_MAGIC: Final = b"PK\x03\x04"
CENTRAL_MAGIC: Final = b"PK\x01\x02"
END_MAGIC: Final = b"PK\x05\x06"
END_64_MAGIC: Final = b"PK\x06\x06"
LOCATOR_64_MAGIC: Final = b"PK\x06\x07"
