"""vendorpack: the missing download half of every package manager.

Reads lockfiles, downloads and verifies every artifact they name, and packs them into one
deterministic bundle that unpacks into the package managers' own caches.

What `import vendorpack` offers is in `vendorpack.api`, and on the page docs/python-api.md. It is
imported when a name of it is first asked for: the command line starts without it.
"""

TYPE_CHECKING = False  # as typing has it, which need not be imported for it
if TYPE_CHECKING:
    from vendorpack.api import (
        Expected,
        Policy,
        Target,
        VendorpackError,
        compare_bundles,
        compute_key,
        find_lockfiles,
        make_sbom,
        open_bundle,
        pack_bundle,
        parse_target,
        plan_bundles,
        read_manifest,
        unpack_bundle,
        verify_bundle,
    )

__version__ = "0.1.0"
__all__ = [
    "Expected",
    "Policy",
    "Target",
    "VendorpackError",
    "compare_bundles",
    "compute_key",
    "find_lockfiles",
    "make_sbom",
    "open_bundle",
    "pack_bundle",
    "parse_target",
    "plan_bundles",
    "read_manifest",
    "unpack_bundle",
    "verify_bundle",
]


if not TYPE_CHECKING:  # which would take any name to be there

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from vendorpack import api  # noqa: PLC0415 - takes a third of a second

        return getattr(api, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
