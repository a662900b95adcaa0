"""What is true of files whatever is in them: safe paths, temporary names, the file system's words.

Knows nothing of bundles, stores or lockfiles; everything that writes is built on it.
"""
