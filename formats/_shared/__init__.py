"""What several rooms share, one folder a topic.

A topic imports no room, and of the other topics only those that know no ecosystem: `text`,
`archives`, `git` and `browsers`. `tests/engine/test_layers.py` reads the imports.
"""
