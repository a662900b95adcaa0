"""The rehearsal: a command, run here as it will run behind the gap, and what it reached for. Linux.

::

    project ──▶ a copy of it, bound over its own folder     (project.py)
    process ──▶ network and mounts of its own               (isolation.py)
    command ──▶ asks for names and connects, in vain        (listeners.py, certificates.py)
            ──▶ who asked for what, and how often           (ledger.py)

Nothing leaves the machine: the only network device is the loopback, every address there is leads to
it, and a name gets an address of its own, so that a connection tells which name it was meant for.
What connects is read as far as its request and turned down.
"""
