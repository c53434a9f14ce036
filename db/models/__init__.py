"""The tables. Words as in the design: presentation, trial, response, rating."""

from db.models.declarative import Base
from db.models.participants import (
    Consent,
    FormResponse,
    Invitation,
    Participant,
    ProviderIdentity,
    Tombstone,
)
from db.models.records import (
    AuditEntry,
    Erasure,
    ExportRecord,
    Installation,
    Researcher,
    ResearcherSession,
)
from db.models.studies import Stimulus, Study, StudyStimulus, StudyVersion, StudyVersionStimulus
from db.models.trials import (
    FurtherPicture,
    Presentation,
    RefusedResponse,
    Response,
    Trial,
    rating,
)

__all__ = [
    "AuditEntry",
    "Base",
    "Consent",
    "Erasure",
    "ExportRecord",
    "FormResponse",
    "FurtherPicture",
    "Installation",
    "Invitation",
    "Participant",
    "Presentation",
    "ProviderIdentity",
    "RefusedResponse",
    "Researcher",
    "ResearcherSession",
    "Response",
    "Stimulus",
    "Study",
    "StudyStimulus",
    "StudyVersion",
    "StudyVersionStimulus",
    "Tombstone",
    "Trial",
    "rating",
]
