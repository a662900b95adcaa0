"""The command line: one thin function a command.

`packing`, `bundles`, `reviewing` and `sharing` have the commands, `options` what they take,
`selection` the options that decide what goes into a bundle and how it is fetched. Nothing heavy is
imported here, nor any room: `key` runs in every CI job and `--help` under every finger. What a
command needs it imports in its own body.
"""

# To hang their commands on it.
from vendorpack.cli import bundles, packing, reviewing, sharing  # noqa: F401
from vendorpack.cli.app import app

__all__ = ["app"]
