"""From a bundle, or from entries just laid out, to a prefix or the clients' own caches.

`ways` has the ways in; each writes the tree to a `stage`, every byte verified, and then gives
it its place: `prefix` replaces a folder, `merge` adds to native caches, `delta` puts a delta and
its base together. Whatever goes wrong, the target is as it was.
"""
