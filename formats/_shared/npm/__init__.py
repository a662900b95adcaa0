"""What JavaScript clients share: the npm registry, .npmrc, packages, commits, corepack, folders."""
