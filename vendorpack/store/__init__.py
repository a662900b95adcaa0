"""Where verified bytes stay: this machine's store, a team's, an older bundle.

`local` is the store that every artifact goes through. `team` is one for several machines, kept in
a `folder` or in the `cloud` (both are `objects`), and `old_bundle` takes from a bundle at hand;
to the engine these two are `nearby`: asked before the network is, and believed no more than it.
"""
