"""What several rooms share, one module a topic."""
