"""Archives as registries serve them, read strictly: gzipped tar, and zip (which is written too)."""
