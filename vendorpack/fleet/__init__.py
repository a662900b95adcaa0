"""Many bundles at once: each a task of its own, which carries the files that packing it reads.

`sending` finds those files, `task` is what a worker does, in a process of its own that `starter`
makes, and `runners` lets it be done: by processes of this machine, or by the workers of a dask
cluster. What binds tasks is the team's store alone: artifacts and bundles come from there and go
there, so that a worker needs neither this machine's disk nor another worker, and one that dies
takes nothing along.
"""
