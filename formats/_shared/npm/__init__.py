"""The npm registry and .npmrc, for every JavaScript client that asks the one by the other."""
