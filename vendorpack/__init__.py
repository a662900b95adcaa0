"""vendorpack: the missing download half of every package manager.

Reads lockfiles, downloads and verifies every artifact they name, and packs them into one
deterministic bundle that unpacks into the package managers' own caches.
"""

__version__ = "0.1.0"
