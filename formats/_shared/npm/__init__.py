"""What JavaScript clients share: the npm registry, .npmrc, packages' files, commits, folders."""
