"""Git commits as artifacts: the canonical pack, the bare repository it lies in, its submodules.

The engine fetches a commit; what a room makes of it stands here, for any client that reads git.
"""
