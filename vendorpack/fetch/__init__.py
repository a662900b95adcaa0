"""How bytes come in: over HTTP, and from git; and how they are verified before they are kept."""
