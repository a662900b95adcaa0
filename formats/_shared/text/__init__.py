"""JSON, TOML and YAML as lockfiles have them: read strictly, with line numbers for errors."""
