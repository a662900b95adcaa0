"""Bundles as container images: a bundle is an image's only layer, byte for byte.

The image
=========
The layer needs nothing added: a bundle is a tar of files and folders that belong to root,
compressed or not. Around it are two JSON documents, as the OCI image specification 1.1 has
them, written with sorted keys and no white space. ::

    manifest   {"schemaVersion": 2, "mediaType": "…image.manifest.v1+json",
                "config": {"mediaType": "…image.config.v1+json", "digest", "size"},
                "layers": [{"mediaType": "…image.layer.v1.tar+zstd" or, of a plain tar, "….tar",
                            "digest": "sha256:" and the sha256 of the bundle's file, "size",
                            "annotations": {"org.opencontainers.image.title": "deps.tar.zst"}}]}
    config     {"architecture", "config": {}, "os": "linux",
                "rootfs": {"type": "layers", "diff_ids": ["sha256:" and that of the plain tar]}}

An image config and a layer's media type make it an image, for `COPY --from` and
`RUN --mount=from=`; the title makes it an artifact, so that artifact clients (`oras pull`) write
the bundle to a file of that name. There is no time in it: the digest of the manifest depends on
the bundle alone. Our own reader takes the name from nobody.

The architecture is the one that the bundle was made for, `amd64` if that is several or none:
the specification wants one, and builders that copy from an image of one manifest don't look.

In a folder, or a tar of it
===========================
The OCI image layout::

    oci-layout             {"imageLayoutVersion": "1.0.0"}
    index.json             {"schemaVersion": 2, "mediaType": "…image.index.v1+json",
                            "manifests": [{"mediaType", "digest", "size", "annotations":
                                           {"org.opencontainers.image.ref.name": key}}]}
    blobs/sha256/<hex>     layer, config and manifest
    manifest.json          only in a tar: what `docker load` looks for (image `deps:<key>`)

In a tar the entry has "io.containerd.image.name", `docker.io/library/deps:<key>`, as well:
`podman load` takes it for the image's name, and says `deps:<key>` to it as Docker does.

In a registry
=============
The OCI distribution specification 1.1: `GET`, `HEAD`, `POST` and `PUT` below
`/v2/<repository>/`. The tag is the bundle's key unless another is asked for. Tags can be
moved, so nobody's word is taken: what is pulled must have the digest its manifest names, be a
sound bundle and, under a tag that is a key, have that key.
"""
