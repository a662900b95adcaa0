"""Bundles: one file with native caches in it, and everything needed to trust it.

`docs/bundle-format.md` specifies the format, byte for byte, and has a reader of one page. This is
the drawing of it.

A bundle (`.tar.zst`) is a row of zstd frames and two skippable frames::

    frame 0           zstd   the member vendorpack.json: the manifest
    frame 1 … n       zstd   the files, in the order of the manifest
    frame n+1         zstd   1024 zero bytes: the end of the tar
    trailer           skippable frame 0x184D2A5D: sha256 of what follows, and JSON:
        frames        [hex sha256 of the compressed bytes of frame 0, …, of frame n+1]
        id            sha256 of frame 0's vendorpack.json: the bundle's id, if it is no delta
        level, vendorpack, zstd
    seek table        skippable frame 0x184D2A5E: (compressed size, size) of all of the above

The manifest is canonical JSON; its sha256 is the bundle's **id**::

    vendorpack   1
    key          hex sha256: what the bundle was made for
    lockfiles    [{"format", "path", "sha256"}, …]
    layouts      {format: version of its layout}
    options      {…}: what was asked for, as the formats understand it
    artifacts    [{…}, …]: what was downloaded
    environment  {"git": [[address, path of the bundle], …],
                  "variables": [{"name", "path": whether value is a path of the bundle, "value"}]}
    mtime        seconds since 1970, of every member
    frames       [bytes of tar in frame 1, …, in frame n]
    files        [[path, size, mode, sha256, artifact], …], in the order of the tar
    delta        only in a delta, all else being the full bundle's:
        base     id of the bundle that has the other files
        files    [which rows of files are in this file: their indexes, ascending]
        frames   [bytes of tar in frame 1, …, in frame n of this file]

The bytes of the tar are a function of the manifest and the files' content. A reader makes headers
and padding anew and compares; it never parses a header. Every byte of the file is thus under some
hash or equal to what the reader computes, and a change of any one of them is found.
"""
