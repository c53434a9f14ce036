"""The HTTP contract of the player in memory, which can be told to fail, delay and lose replies.

What the real server decides by functions of its own (bodies, forms, errors) is decided by them here
too; `test_contract.py` holds that the rest is answered alike.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import secrets
from dataclasses import asdict, dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from made_up_study import CONSENT_SHA256
from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from db.repository import FormAttempt
from study_app.api.bodies import AnswerBody, ConsentBody, FormBody
from study_app.api.http import (
    B,
    RefusedError,
    bearer,
    body,
    failure,
    integer,
    json_response,
    route,
)
from study_app.forms import FormError
from study_app.participation import due_forms
from study_app.study import StoredStudy, load

SIZE = 28
ENDINGS = {
    "screened_out": "This study looks for other people.",
    "failed_check": "The check did not go well.",
}
FAULTS = {422: "invalid", 429: "too_many", 503: "unavailable"}


def stimulus(study: str, presentation: int, place: int = 0) -> Image.Image:
    """The 8-bit grey picture at a place: noise, so that no two pixels can be mixed up."""
    grey = random.Random(f"{study}/{presentation}/{place}").randbytes(SIZE * SIZE)
    return Image.frombytes("L", (SIZE, SIZE), grey)


def shown_label(presentation: int) -> int:
    """The label that Q2 of a presentation asks about."""
    return (7 * presentation + 4) % 10


@dataclass
class Study:
    """One study: how it behaves, and what it has received."""

    name: str
    practice: int = 1
    main: int = 2
    questions: list[dict[str, Any]] = field(default_factory=list)
    """Views, one presentation each, with the number of its `pictures`, practice first; none: the
    pair of label and plausibility."""
    together: list[int] = field(default_factory=list)
    """How many of `questions` each presentation has; none: one."""
    picture_sizes: int = 2
    feedback: list[str] = field(default_factory=list)
    """What practice says, by presentation; none: as the answer is right or wrong."""
    block_of: int = 0  # main presentations in a block; 0: all in one
    forms: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Screening, comprehension, demographics, as a stored study has them."""
    # faults
    fail_next: dict[str, list[int]] = field(default_factory=dict)  # route -> statuses to answer
    refusals: dict[str, dict[str, Any]] = field(default_factory=dict)  # route -> {error, …}
    retry_after: str = ""
    lose_acks: int = 0  # store the next answers, but answer 503
    wrong_pictures: int = 0  # the next pictures have other bytes
    delay_s: float = 0
    feedback_delay_s: float = 0
    # what happened
    participants: dict[str, dict[str, Any]] = field(default_factory=dict)  # by token
    received: list[dict[str, Any]] = field(default_factory=list)  # every POST /api/response
    filled: list[dict[str, Any]] = field(default_factory=list)  # every POST /api/form

    @property
    def presentations(self) -> int:
        return len(self.together or self.questions) or self.practice + self.main

    @property
    def total(self) -> int:
        return len(self.questions) or 2 * self.presentations

    def _presentation(self, k: int) -> int:
        """The presentation of the k-th trial."""
        if not self.questions:
            return k // 2
        counts = self.together or [1] * len(self.questions)
        return [p for p, n in enumerate(counts) for _ in range(n)][k]

    @property
    def stored(self) -> StoredStudy:
        """A stored study with these forms."""
        return _stored(json.dumps(self.forms, sort_keys=True))

    def sent(self, token: str) -> list[FormAttempt]:
        """The forms that this participant has sent."""
        tried = self.participants[token].setdefault("forms", {})
        passed = {"passed": True, "stored": None, "again": False, "failed": False}
        return [
            FormAttempt(name, number, passed[result])
            for name, results in tried.items()
            for number, result in enumerate(results, 1)
        ]

    def due(self, token: str) -> due_forms.Due | None:
        """The form that this participant has to fill in now."""
        state, answered = self.participants[token]["state"], self.position(token) == self.total
        return due_forms.due(self.stored, state, self.sent(token), answered=answered)

    def state(self, token: str) -> str:
        """How far this participant is."""
        state: str = self.participants[token]["state"]
        through = self.position(token) == self.total and not self.due(token)
        return "complete" if state == "admitted" and through else state

    def position(self, token: str) -> int:
        """The first trial without an answer."""
        answers = self.participants[token]["answers"]
        unanswered = (
            k for k in range(self.total) if self.trial(token, k)["trial_id"] not in answers
        )
        return next(unanswered, self.total)

    def trial(self, token: str, k: int) -> dict[str, Any]:
        """The k-th trial as the contract has it."""
        presentation = self._presentation(k)
        main = presentation - self.practice
        own = hashlib.sha256(f"{token}/{k}".encode()).hexdigest()[:32]
        trial = {
            "trial_id": own,
            "position": k,
            "presentation_id": f"{token[:6]}-{presentation}",
            "presentation": presentation,
            "phase": "practice" if presentation < self.practice else "main",
            "block": 0 if main < 0 else 1 + main // (self.block_of or self.presentations),
            "images": [self._image(presentation, 0)],
            "picture_sizes": self.picture_sizes,
        }
        if self.questions:
            view = dict(self.questions[k])
            places = range(view.pop("pictures", 1))
            images = [self._image(presentation, place) for place in places]
            return {**trial, "task": view["layout"], "options": [], **view, "images": images}
        if k % 2:
            label = shown_label(presentation)
            return trial | {
                "task": "target_plausible",
                "prompt": f"A computer labelled this {label}. Could a person reasonably say so?",
                "layout": "row",
                "options": [
                    {"value": "yes", "label": "Yes", "key": "y"},
                    {"value": "no", "label": "No", "key": "n"},
                ],
            }
        digits = [{"value": str(d), "label": str(d), "key": str(d)} for d in range(10)]
        return trial | {
            "task": "label_nafc",
            "prompt": "Which label fits best?",
            "layout": "grid",
            "options": [*digits, {"value": "cant_tell", "label": "Can't tell", "key": "x"}],
        }

    def _image(self, presentation: int, place: int) -> dict[str, Any]:
        return {
            "url": f"/s/{self.name}-{presentation}-{place}.png",
            "sha256": hashlib.sha256(png(self.name, presentation, place)).hexdigest(),
            "width": SIZE,
            "height": SIZE,
        }


@cache
def _stored(forms: str) -> StoredStudy:
    document = load("demo").to_json() | {"translations": {}} | json.loads(forms)
    return StoredStudy.model_validate(document)


def png(study: str, presentation: int, place: int) -> bytes:
    """The stimulus as PNG bytes."""
    buffer = BytesIO()
    stimulus(study, presentation, place).save(buffer, "PNG")
    return buffer.getvalue()


class FakeServer:
    """All studies of one test run, kept in a file so that a killed server comes back with them."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self.studies: dict[str, Study] = {}
        if state.exists():
            saved = json.loads(state.read_text())
            self.studies = {name: Study(**values) for name, values in saved.items()}

    def routes(self) -> list[Route]:
        posts = {
            "consent": self.consent,
            "admit": self.admit,
            "form": self.form,
            "response": self.response,
            "withdraw": self.withdraw,
        }
        return [
            Route("/fake/{study}", self.inspect),
            Route("/fake/{study}", self.configure, methods=["POST"]),
            Route("/api/health", self.health),
            Route("/api/trials", route(self.trials)),
            *(Route(f"/api/{n}", route(post), methods=["POST"]) for n, post in posts.items()),
            Route("/s/{name}.png", route(self.picture)),
        ]

    def _save(self) -> None:
        whole = self._state.with_suffix(".new")
        whole.write_text(json.dumps({name: asdict(study) for name, study in self.studies.items()}))
        whole.replace(self._state)

    async def inspect(self, request: Request) -> Response:
        return JSONResponse(asdict(self.studies[request.path_params["study"]]))

    async def configure(self, request: Request) -> Response:
        name = request.path_params["study"]
        study = self.studies.setdefault(name, Study(name))
        for key, value in (await request.json()).items():
            setattr(study, key, value)
        self._save()
        return JSONResponse({})

    async def health(self, request: Request) -> Response:
        return json_response({"status": "ok"})

    def _who(self, request: Request) -> tuple[Study, str]:
        token = bearer(request)
        for study in self.studies.values():
            if token in study.participants:
                return study, token
        raise RefusedError(401, "unknown_token", "No.")

    async def _body(self, request: Request, model: type[B]) -> B:
        try:
            return await body(request, model)
        except RefusedError:
            self._who(request)
            raise

    @staticmethod
    def _fault(study: Study, name: str) -> None:
        """Raises what a route was told to answer next."""
        if name in study.refusals:
            told = dict(study.refusals[name])
            error = told.pop("error")
            status = 403 if error == "not_invited" else 409
            raise RefusedError(status, error, "Of no use to a participant.", **told)
        if statuses := study.fail_next.get(name, []):
            status = statuses.pop(0)
            fault = RefusedError(status, FAULTS[status], "As told.")
            if study.retry_after:
                fault.response.headers["Retry-After"] = study.retry_after
            raise fault

    @staticmethod
    def _acknowledge(study: Study, reply: dict[str, Any]) -> Response:
        if study.lose_acks > 0:
            study.lose_acks -= 1
            raise RefusedError(503, "unavailable", "Lost on the way.")
        return json_response(reply)

    async def consent(self, request: Request) -> Response:
        given = await body(request, ConsentBody)
        study = self.studies.get(given.study)
        if study is None:
            raise RefusedError(404, "not_found", "There is no such study.")
        self._fault(study, "consent")
        for token, person in study.participants.items():
            if person["nonce"] == given.nonce:
                return json_response({"token": token, "state": study.state(token)})
        if given.provider.name != "direct":
            raise RefusedError(403, "not_invited", "Not here.", reason="other_link")
        if given.language not in CONSENT_SHA256:
            raise RefusedError(422, "invalid", "Not in that language.")
        if given.consent_sha256 != CONSENT_SHA256[given.language]:
            raise RefusedError(409, "consent_changed", "Another text.")
        token = secrets.token_hex(16)
        study.participants[token] = {
            "nonce": given.nonce,
            "state": "consented",
            "answers": {},
            "language": given.language,
            "provider": given.provider.model_dump(),
        }
        self._save()
        self._fault(study, "consent_reply")
        return json_response({"token": token, "state": "consented"}, 201)

    async def admit(self, request: Request) -> Response:
        study, token = self._who(request)
        self._fault(study, "admit")
        person = study.participants[token]
        if person["state"] == "consented":
            if study.due(token):
                raise RefusedError(409, "not_ready", "A form is due.")
            person["state"] = "admitted"
            self._save()
        elif person["state"] != "admitted":
            raise RefusedError(409, "left", "Not any more.")
        position = study.position(token)
        return json_response(
            {"state": study.state(token), "position": position, "total": study.total}
        )

    async def trials(self, request: Request) -> Response:
        study, token = self._who(request)
        self._fault(study, "trials")
        first, n = integer(request, "from", 0, 0, 10**6), integer(request, "n", 5, 0, 20)
        person, state = study.participants[token], study.state(token)
        admitted, due = person["state"] == "admitted", study.due(token)
        language = person.get("language", "en")
        reply: dict[str, Any] = {
            "state": state,
            "language": language,
            "position": study.position(token) if admitted else 0,
            "total": study.total if admitted else 0,
            "presentations": study.presentations if admitted else 0,
            "complete": state == "complete",
            "form": due and due_forms.shown(study.stored, due, language),
            "trials": [],
        }
        if state in ENDINGS:
            html = f"<h2>Thank you</h2><p>{ENDINGS[state]}</p>"
            reply["ending"] = {"html": html, "code": "OUT-1", "redirect": None}
        if admitted:
            last = min(first + n, study.total)
            reply["trials"] = [study.trial(token, k) for k in range(first, last)]
        if state == "complete":
            reply["debrief"] = {
                "html": "<h2>Thank you</h2><p>This is what the study was about.</p>",
                "code": "QK7M-2XPA",
                "redirect": "https://example.org/back?cc=QK7M-2XPA",
            }
        return json_response(reply)

    def _require_going_on(self, study: Study, token: str, status: int) -> None:
        if study.participants[token]["state"] == "timed_out":
            raise RefusedError(status, "over", "Your participation has ended.")

    async def form(self, request: Request) -> Response:
        given = await self._body(request, FormBody)
        study, token = self._who(request)
        self._fault(study, "form")
        study.filled.append(given.model_dump(exclude_unset=True))
        self._require_going_on(study, token, 409)
        person, due = study.participants[token], study.due(token)
        tries = person["forms"].setdefault(given.form, [])
        if given.attempt <= len(tries):
            return json_response({"result": tries[given.attempt - 1], "state": study.state(token)})
        if due != due_forms.Due(given.form, given.attempt):
            raise RefusedError(409, "not_due", "Not now.")
        try:
            read = due_forms.read(study.stored, given.form, given.answers)
        except FormError as error:
            item = due_forms.unfit(study.stored, given.form, given.answers)
            raise RefusedError(422, "invalid", str(error), item=item) from None
        device = given.device and given.device.model_dump()
        if given.form == "screening" and device is None:
            raise RefusedError(422, "invalid", "No device.")
        passed = due_forms.passes(study.stored, given.form, read, device)
        attempt = FormAttempt(given.form, given.attempt, passed)
        result = due_forms.result(study.stored, attempt)
        tries.append(result)
        ending = due_forms.outcome(given.form, result)
        if ending in ENDINGS:
            person["state"] = ending
        self._save()
        return self._acknowledge(study, {"result": result, "state": study.state(token)})

    async def response(self, request: Request) -> Response:
        given = await self._body(request, AnswerBody)
        study, token = self._who(request)
        if study.delay_s:
            await asyncio.sleep(study.delay_s)
        self._fault(study, "response")
        study.received.append(given.model_dump(exclude_unset=True))
        self._require_going_on(study, token, 410)
        answers = study.participants[token]["answers"]
        admitted = study.participants[token]["state"] == "admitted"
        trials = [study.trial(token, k) for k in range(study.total if admitted else 0)]
        trial = next((trial for trial in trials if trial["trial_id"] == given.trial_id), None)
        if trial is None:
            raise RefusedError(404, "not_found", "No such trial.")
        if not fits(trial, given.answer):
            raise RefusedError(422, "invalid", "No answer to this.")
        kept = answers.get(given.trial_id)
        if kept and kept["answer"] != given.answer:
            raise RefusedError(409, "locked", "Already answered.")
        answers.setdefault(given.trial_id, given.model_dump(exclude_unset=True))
        self._save()
        reply = {
            "status": "duplicate" if kept else "stored",
            "position": study.position(token),
            "complete": study.state(token) == "complete",
        }
        if trial["phase"] == "practice":
            await asyncio.sleep(study.feedback_delay_s)
            right = given.answer in ("3", "yes")
            text = "Yes, most people see it so." if right else "Most people see it differently."
            text = study.feedback[trial["presentation"]] if study.feedback else text
            reply["feedback"] = {"correct": right, "text": text}
        return self._acknowledge(study, reply)

    async def withdraw(self, request: Request) -> Response:
        study, token = self._who(request)
        del study.participants[token]
        self._save()
        return json_response({"state": "withdrawn"})

    async def picture(self, request: Request) -> Response:
        name, _, place = request.path_params["name"].rpartition("-")
        name, _, number = name.rpartition("-")
        study = self.studies.get(name)
        if study is None:
            return failure(404, "not_found", "There is no such picture.")
        content = png(name, int(number), int(place))
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        if study.wrong_pictures > 0:
            study.wrong_pictures -= 1
            content = png("another", int(number), int(place))
        return Response(content, media_type="image/png", headers=headers)


def fits(trial: dict[str, Any], answer: str) -> bool:
    """Whether it can be an answer to a trial; composed answers are not looked at."""
    if answer == "timed_out":
        return "response_window_ms" in trial
    return not trial["options"] or answer in [option["value"] for option in trial["options"]]
