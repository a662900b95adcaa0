"""The command line: one thin function a command.

`packing`, `key`, `planning`, `fleet`, `bundles`, `reviewing`, `sharing` and `manual` have the
commands, `options` what they take, `selection` the options that decide what goes into a bundle and
how it is fetched, and `project_file` which of them a project's file may have. `app` loads the
module of the command that is asked for. Nothing heavy is imported here, nor any room: `key` runs in
every CI job and `--help` under every finger. What a command needs it imports in its own body.
"""

from vendorpack.cli.app import app

__all__ = ["app"]
