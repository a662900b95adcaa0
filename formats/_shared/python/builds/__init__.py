"""What source distributions are built with: their requirements, resolved without running code.

`system` reads a build system, and `downloads` what a build fetches by itself; `requirements` plans
what it asks for with the help of `resolver`, `lock` keeps the outcome beside the lockfile,
`choices` reads what the user chose, `wheels` is the step that rooms take.
"""
