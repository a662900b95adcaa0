"""Maven repositories: their paths, their addresses, and a tree that clients read as one.

Maven and Gradle read the same tree; rooms differ in the file that pins it.
"""
