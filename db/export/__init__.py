"""Tables that leave the database, with a codebook made from their declarations."""

from db.export.columns import Column, codebook
from db.export.conditions import conditions
from db.export.formats import Beside, Export, write_csv
from db.export.judging import Evidence, Judge, Verdict
from db.export.scoring import Answered, Scorer
from db.export.stages import default_stage, stage_counts
from db.export.tables import events, forms, iso_utc, participants, ratings, stimuli

__all__ = [
    "Answered",
    "Beside",
    "Column",
    "Evidence",
    "Export",
    "Judge",
    "Scorer",
    "Verdict",
    "codebook",
    "conditions",
    "default_stage",
    "events",
    "forms",
    "iso_utc",
    "participants",
    "ratings",
    "stage_counts",
    "stimuli",
    "write_csv",
]
