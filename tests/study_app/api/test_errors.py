"""Every error of the engine and the database has an exit code, an HTTP status and a sentence."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from db import errors as db_errors
from engine import errors as engine_errors
from study_app.api.http import DAMAGED, UNAVAILABLE, route
from study_app.cli import plausibly

SENTENCE = "It is so, in /a/folder."
KINDS = {db_errors.StorageError, db_errors.RepositoryError}
"""What is never raised itself."""

# Exit code, status, code. A new error is missing here until somebody has thought of all three.
TOLD = {
    "DatabaseError": (1, 503, "unavailable"),
    "DatabaseBusyError": (1, 503, "unavailable"),
    "StudyNotFoundError": (2, 404, "not_found"),
    "StudyNotOpenError": (1, 404, "not_found"),
    "StudyClosedError": (1, 409, "closed"),
    "StudyFullError": (1, 409, "full"),
    "NotInvitedError": (1, 403, "not_invited"),
    "StimulusConflictError": (1, 500, ""),
    "ParticipantNotFoundError": (2, 404, "not_found"),
    "NotAdmissibleError": (1, 409, "left"),
    "PlanError": (1, 500, ""),
    "TrialNotFoundError": (2, 404, "not_found"),
    "InvalidAttemptError": (2, 422, "invalid"),
    "ExportError": (1, 503, "export"),
    "PlausiblyError": (1, 503, "damaged"),
    "UsageError": (2, 503, "damaged"),
    "ChangedCodeError": (2, 503, "damaged"),
    "MachineError": (1, 503, "damaged"),
    "ArtifactError": (1, 503, "damaged"),
    "AbsentError": (1, 503, "damaged"),
    "NotFiniteError": (1, 503, "damaged"),
    "DivergedError": (1, 503, "damaged"),
}
SENTENCES = {"unavailable": UNAVAILABLE, "damaged": DAMAGED}


def raised():
    for module in (db_errors, engine_errors):
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == module.__name__:
                assert issubclass(value, db_errors.StorageError | engine_errors.PlausiblyError)
                if value not in KINDS:
                    yield value


def an(error):
    made = {
        db_errors.NotInvitedError: lambda: error("used_invitation", SENTENCE),
        engine_errors.AbsentError: lambda: error("the ladder of “Odd”", "it failed"),
        engine_errors.ChangedCodeError: lambda: error(SENTENCE, {}, "net.py"),
        engine_errors.DivergedError: lambda: error("loss", "nan", 3),
        engine_errors.NotFiniteError: lambda: error("a logit", "nan"),
    }
    return made.get(error, lambda: error(SENTENCE))()


RAISED = list(raised())


def test_every_error_is_in_the_table():
    assert {error.__name__ for error in RAISED} == set(TOLD)


@pytest.mark.parametrize("error", RAISED, ids=lambda error: error.__name__)
def test_the_command_line_prints_the_sentence_and_exits_with_the_code(error, monkeypatch, capsys):
    def fails():
        raise an(error)

    monkeypatch.setattr(plausibly, "app", fails)
    with pytest.raises(SystemExit) as ended:
        plausibly.main()
    assert ended.value.code == TOLD[error.__name__][0]
    assert capsys.readouterr().err == f"plausibly: {an(error)}\n"


@pytest.mark.parametrize("error", RAISED, ids=lambda error: error.__name__)
def test_http_answers_with_status_code_and_a_sentence(error):
    @route
    async def fails(request):
        raise an(error)

    client = TestClient(Starlette(routes=[Route("/", fails)]), raise_server_exceptions=False)
    answer = client.get("/")
    _, status, code = TOLD[error.__name__]
    assert answer.status_code == status
    if status == 500:
        assert SENTENCE not in answer.text
    else:
        more = {"reason": "used_invitation"} if error is db_errors.NotInvitedError else {}
        assert answer.json() == {"error": code, "message": SENTENCES.get(code, SENTENCE), **more}


def test_a_fault_of_the_program_is_raised_so_that_the_server_logs_where_it_was():
    @route
    async def fails(request):
        raise db_errors.PlanError(SENTENCE)

    client = TestClient(Starlette(routes=[Route("/", fails)]))
    with pytest.raises(db_errors.PlanError):
        client.get("/")
