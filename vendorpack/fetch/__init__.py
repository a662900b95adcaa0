"""How bytes come in: over HTTP, and from git. Nothing here decides whether they are the right ones."""
