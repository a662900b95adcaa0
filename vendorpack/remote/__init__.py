"""Stores for teams: artifacts and bundles that several machines share.

A team's store is a folder (a path, `file://`) or a bucket (`s3://`, `gs://`, `az://`)::

    <url>/
      cas/sha256/<2 hex>/<64 hex>           an artifact's bytes, named by their sha256
      index/<algorithm>/<2 hex>/<hex>       "<sha256> <size>\\n": which artifact has this digest
      bundles/v1/<key>.tar.zst              the bundle that was packed for this key

Objects are only ever created, never changed, so it does not matter who is first. An artifact
is written before what points to it. Nothing here is believed: an artifact is taken only after
it has every digest the lockfile pins, and bundles are never taken by `pack`, since of files
that a layout made no lockfile says the hash.
"""
