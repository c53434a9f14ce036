"""What can go wrong, each with one sentence fit for a person to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class StorageError(Exception):
    """Any error of this package. It carries how a command line and a server tell it.

    Attributes:
        exit_code: of the command line: 2 where something was asked for wrongly (an unknown name,
            say), else 1.
        status: of the HTTP answer. 500 stands for a fault of the program: it is logged as one.
        code: of the HTTP answer, for programs; "" for a fault, which has none.
        public: whether the sentence may be told to anybody; others may name files.
    """

    exit_code: ClassVar[int]
    status: ClassVar[int]
    code: ClassVar[str]
    public: ClassVar[bool] = True

    @property
    def more(self) -> Mapping[str, str]:
        """What the HTTP answer says beside code and sentence."""
        return {}


class DatabaseError(StorageError):
    """The database cannot be used: missing, damaged, of another version, full, or locked."""

    exit_code, status, code, public = 1, 503, "unavailable", False


class DatabaseBusyError(DatabaseError):
    """Too many writes are waiting. Nothing was stored; the caller may try again."""


class RepositoryError(StorageError):
    """A request that the stored data does not allow. Nothing was changed."""


class StudyNotFoundError(RepositoryError):
    """No study, or no study version, of that name or id."""

    exit_code, status, code = 2, 404, "not_found"


class StudyNotOpenError(RepositoryError):
    """The study exists but takes no participants now."""

    exit_code, status, code = 1, 404, "not_found"


class StudyClosedError(RepositoryError):
    """The study was closed before this person was admitted."""

    exit_code, status, code = 1, 409, "closed"


class StudyFullError(RepositoryError):
    """As many people as the study wants have a place in it."""

    exit_code, status, code = 1, 409, "full"


class NotInvitedError(RepositoryError):
    """The study takes only people whom it knows by their invitation or provider id.

    Args:
        reason: `invitation` (unknown), `used_invitation`, or `other_person` (with this nonce).
        message: the sentence.
    """

    exit_code, status, code = 1, 403, "not_invited"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def more(self) -> Mapping[str, str]:
        """The reason."""
        return {"reason": self.reason}


class StimulusConflictError(RepositoryError):
    """A stimulus does not match its own hashes, or an id already stands for other content."""

    exit_code, status, code = 1, 500, ""


class ParticipantNotFoundError(RepositoryError):
    """No such participant: never created, or withdrawn."""

    exit_code, status, code = 2, 404, "not_found"


class NotAdmissibleError(RepositoryError):
    """The participant left the study (timed out or returned) and cannot be admitted."""

    exit_code, status, code = 1, 409, "left"


class PlanError(RepositoryError):
    """A drawn plan is empty or shows a stimulus that the study version does not have."""

    exit_code, status, code = 1, 500, ""


class TrialNotFoundError(RepositoryError):
    """The trial does not exist or belongs to somebody else."""

    exit_code, status, code = 2, 404, "not_found"


class InvalidAttemptError(RepositoryError):
    """The attempt number is not 1, and there is no answer that it could repeat."""

    exit_code, status, code = 2, 422, "invalid"


class ExportError(StorageError):
    """The export was not made; nothing was left behind."""

    exit_code, status, code = 1, 503, "export"
