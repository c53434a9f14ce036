"""Exact 8-bit pixels with the passport that leads back to where they came from."""

from engine.results import CLEAN
from engine.stimuli.mistakes import hit_everywhere, hits
from engine.stimuli.stimulus import Stimulus, adversarial, clean, edges, saliency

__all__ = [
    "CLEAN",
    "Stimulus",
    "adversarial",
    "clean",
    "edges",
    "hit_everywhere",
    "hits",
    "saliency",
]
