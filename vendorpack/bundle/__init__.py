"""Bundles: one file with native caches in it, and everything needed to trust it.

This is the whole of bundle format 1. Numbers are little-endian; hex is lower case; sizes are
in bytes; "JSON" is canonical JSON: keys sorted, no white space, UTF-8 (only what JSON must
escape is escaped), whole numbers only, nothing after it but where a line feed is named.

The file
========
A bundle (`.tar.zst`) is a row of zstd frames and two skippable frames, with nothing between::

    frame 0           zstd   the member vendorpack.json: the manifest
    frame 1 … n       zstd   the files, in the order of the manifest
    frame n+1         zstd   1024 zero bytes: the end of the tar
    trailer           skippable frame 0x184D2A5D
    seek table        skippable frame 0x184D2A5E

Decompressed as any zstd tool does it, this is one POSIX tar. A bundle may also be that tar
itself (`.tar`): the same members in the same order, no trailer and no seek table; it is told
apart by its first bytes, which are the name `vendorpack.json` and NULs.

Each zstd frame has its content size and its checksum, needs no dictionary, and holds at most
32 MiB of tar (frame 0: 256 MiB). Compressed sizes are not part of the format's identity: they
are nowhere but in the seek table.

The tar
=======
Members are regular files (type `0`) and empty folders (type `5`, path ending `/`); the
folders above a file have no member. Every header is POSIX ustar (magic `ustar`, version
`00`): numbers in octal digits that fill their field, ended by NUL; checksum as six digits, NUL,
space; owner, group, device numbers 0; names of owner and group empty; mtime and mode from the
manifest. A path of up to 100 bytes is in the name field; a longer one is cut at the last slash
that leaves at most 155 bytes for the prefix field, if at most 100 then remain for the name. A
path that fits neither way, or is not ASCII, and a size of 8 GiB or more, are in a PAX header
(type `x`, name `././@PaxHeader`, mode 0644) of nothing but `path` and `size`, in this order;
the ustar name is then the path's last part (what is not ASCII as `?`, 100 bytes at most), the
ustar size 0 if it is in the PAX header. Content is padded with zeros to 512.

So the bytes of the tar are a function of the manifest and the files' content. A reader makes
the headers and the padding anew and compares; it never parses a header.

Frames 1 … n
============
A frame holds whole members, or one part of one member. Which, the manifest says by sizes: a
member that is not in a frame whole has its frames for itself. Sizes are multiples of 512.
Writers cut between members so that a frame has at most 4 MiB (32 MiB, compressed with
long-distance matching, for formats that unpack artifacts: there it pays) and never holds files
of two formats; a larger member is cut at that size.

The manifest
============
`vendorpack.json`, mode 0644: one JSON object and a line feed. The bundle's **id** is the hex
sha256 of these bytes; it stands for every byte of the tar, whatever compressed it. ::

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

`mode` is a number: 0644 or 0755; of a folder 0755 or 01777. `sha256` is hex, null for a folder
(whose size is 0). `artifact` is an index into `artifacts`, or null for what a format made up.
`vendorpack.json` itself is not listed. Paths obey `vendorpack.paths`. A path that a variable
has may also be empty: the folder the bundle was unpacked to.

Deltas
======
A delta is a bundle that lacks those files that another one, its **base**, has under the same
path with the same size, mode and sha256. Its `vendorpack.json` is the full bundle's with one
more field::

    delta        {"base": id of the base,
                  "files": [which rows of files are in this file: their indexes, ascending],
                  "frames": [bytes of tar in frame 1, …, in frame n of this file]}

All other fields are the full bundle's, `files` and `frames` too; so without `delta` it is, byte
for byte, the full bundle's manifest, whose sha256 is the id of what base and delta make
together. Everything else is as above, for the files that are in the delta. A reader that does
not know the field refuses the manifest: nobody takes a delta for a full bundle.

The base of a delta may itself have been made by a delta: what counts is its full manifest.
Extracting the base's tar and then the delta's over it gives every file of the full bundle;
what the base had and the full bundle has not stays there, and `vendorpack.json` is the delta's.

Trailer and seek table
======================
The trailer's payload is a sha256 (32 bytes) of the JSON that follows it::

    frames       [hex sha256 of the compressed bytes of frame 0, …, of frame n+1]
    id           sha256 of frame 0's vendorpack.json: the bundle's id, if it is no delta
    level        of compression
    vendorpack   version that wrote the file
    zstd         version of libzstd that compressed it

The seek table is that of the public zstd seekable format, without its checksums: for frames 0
to n+1 and then the trailer (compressed size u32, size u32; the trailer's size is 0), then the
number of entries u32, a zero byte, and u32 0x8F92EAB1.

Every byte of the file is thus under some hash or equal to what the reader computes, and a
change of any one of them is found; the bytes of frames 1 … n are checked when they are read.
"""
