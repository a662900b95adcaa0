"""JSON, TOML, YAML, XML and addresses as lockfiles have them.

Documents are read strictly, with line numbers for errors.
"""
