"""What a bundle's manifest says, in the forms that reviewers' tools read.

`packages` gathers the artifacts by package; `cyclonedx` and `spdx` write it as a bill of
materials, `provenance` as an in-toto statement. All are functions of the manifest: no network,
no clock, nothing that the bundle does not say itself.
"""
