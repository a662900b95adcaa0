"""What Python clients share: indexes, wheels and sdists, markers, pip's configuration and caches.

`wheelhouse_room` is the whole of a room whose client installs from a folder of wheels by pip.
What sources are built with is in `builds`.
"""
