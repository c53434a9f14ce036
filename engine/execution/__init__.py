"""Running tasks that need each other: here (`local`), on a Ray cluster (`ray`), or once more.

Modules: `executor`, `local`, `ray`, `worker` (the process that computes), `regenerate` (makes
artifacts again and compares).
"""
