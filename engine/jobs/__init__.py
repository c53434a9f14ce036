"""Making one artifact from its recipe, and reading it again: one file per kind of artifact.

A kind's file says which version of it is made, what an experiment file has for it (`SECTION`),
which artifacts an experiment wants (`wanted`), how one is made (`make`) and read (`read`). Adding a
kind is adding its file. `making` makes an artifact in a worker process; `context` is what a job has
at hand there. `make` imports torch, reading does not.
"""

from engine.jobs._kinds import Kind, Reader, gone, kinds
from engine.jobs._old_layouts import without_source
from engine.jobs._requests import ANSWERING, Asking, Label, Request, Section, answering

__all__ = [
    "ANSWERING",
    "Asking",
    "Kind",
    "Label",
    "Reader",
    "Request",
    "Section",
    "answering",
    "gone",
    "kinds",
    "without_source",
]
