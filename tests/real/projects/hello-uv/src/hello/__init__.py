"""A package of the project itself."""
