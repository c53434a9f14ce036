"""What can go wrong, each with one sentence fit for a person to read."""


class DatabaseError(Exception):
    """The database cannot be used: missing, damaged, of another version, full, or locked."""


class DatabaseBusyError(DatabaseError):
    """Too many writes are waiting. Nothing was stored; the caller may try again."""


class RepositoryError(Exception):
    """A request that the stored data does not allow. Nothing was changed."""


class StudyNotFoundError(RepositoryError):
    """No study, or no study version, of that name or id."""


class StudyNotOpenError(RepositoryError):
    """The study exists but takes no participants now."""


class StudyClosedError(RepositoryError):
    """The study was closed before this person was admitted."""


class StudyFullError(RepositoryError):
    """As many people as the study wants have a place in it."""


class NotInvitedError(RepositoryError):
    """The study takes only people whom it knows by their invitation or provider id.

    reason: `invitation` (unknown), `used_invitation`, or `other_person` (with this nonce).
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StimulusConflictError(RepositoryError):
    """A stimulus does not match its own hashes, or an id already stands for other content."""


class ParticipantNotFoundError(RepositoryError):
    """No such participant: never created, or withdrawn."""


class NotAdmissibleError(RepositoryError):
    """The participant left the study (timed out or returned) and cannot be admitted."""


class PlanError(RepositoryError):
    """A drawn plan is empty or shows a stimulus that the study version does not have."""


class TrialNotFoundError(RepositoryError):
    """The trial does not exist or belongs to somebody else."""


class InvalidAttemptError(RepositoryError):
    """The attempt number is below 1 or above what the trial allows."""


class ExportError(Exception):
    """The export was not made; nothing was left behind."""
