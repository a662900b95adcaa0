"""PyInstaller follows import statements; rooms, and some libraries, are imported by name."""

from PyInstaller.utils.hooks import collect_submodules

hiddenimports = [
    name
    for package in ("vendorpack", "zlib_ng", "obstore")
    for name in collect_submodules(package, on_error="ignore")
]
