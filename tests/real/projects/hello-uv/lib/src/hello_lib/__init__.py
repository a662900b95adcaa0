"""Another package of the workspace, with another backend."""
