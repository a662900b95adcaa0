"""PyInstaller follows import statements; rooms, and some libraries, are imported by name."""

from PyInstaller.utils.hooks import collect_submodules

hiddenimports = [
    name
    for package in ("vendorpack", "zlib_ng", "obstore")
    for name in collect_submodules(
        package,
        # Ways to log in that are not used, and would take boto3 along where that is installed.
        filter=lambda name: not name.startswith("obstore.auth"),
        on_error="ignore",
    )
]
