"""The HTTP contract of the player in memory, which can be told to fail, delay and lose replies."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import secrets
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from made_up_study import CONSENT_SHA256
from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from study_app import forms
from study_app.participation import due_forms as due_forms

SIZE = 28
ENDINGS = {
    "screened_out": "This study looks for other people.",
    "failed_check": "The check did not go well.",
}
OVER = {"error": "over", "message": "Your participation has ended."}
GONE = {"error": "not_found", "message": "There is nothing here."}


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
    block_of: int = 0  # main presentations in a block; 0: all in one
    forms: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Screening, comprehension, demographics: their items, and the `right` answers, if any."""
    # faults
    fail_next: dict[str, list[int]] = field(default_factory=dict)  # route -> statuses to answer
    refusals: dict[str, dict[str, str]] = field(default_factory=dict)  # route -> {error, …}
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
    def per_presentation(self) -> int:
        return 1 if self.questions else 2

    @property
    def presentations(self) -> int:
        return len(self.questions) or self.practice + self.main

    @property
    def total(self) -> int:
        return self.per_presentation * self.presentations

    def due(self, token: str) -> dict[str, Any] | None:
        """The form that this participant has to fill in now."""
        person = self.participants[token]
        names = ["screening", "comprehension"] if person["state"] == "consented" else []
        if person["state"] == "admitted" and self.position(token) == self.total:
            names = ["demographics"]
        done = person.setdefault("forms", {})
        for name in names:
            tries = done.get(name, [])
            if name in self.forms and not (tries and tries[-1] in ("stored", "passed")):
                form = {k: v for k, v in self.forms[name].items() if k != "right"}
                facts = {"device": None, "calibration": False, "attempts": 2}
                return {**facts, **form, "form": name, "attempt": len(tries) + 1}
        return None

    def position(self, token: str) -> int:
        """The first trial without an answer."""
        answers = self.participants[token]["answers"]
        unanswered = (
            k for k in range(self.total) if self.trial(token, k)["trial_id"] not in answers
        )
        return next(unanswered, self.total)

    def trial(self, token: str, k: int) -> dict[str, Any]:
        """The k-th trial as the contract has it."""
        presentation, second = divmod(k, self.per_presentation)
        main = presentation - self.practice
        own = hashlib.sha256(f"{token}/{k}".encode()).hexdigest()[:16]
        trial = {
            "trial_id": own,
            "position": k,
            "presentation_id": f"{token[:6]}-{presentation}",
            "presentation": presentation,
            "phase": "practice" if presentation < self.practice else "main",
            "block": 0 if main < 0 else 1 + main // (self.block_of or self.presentations),
            "images": [self._image(presentation, 0)],
        }
        if self.questions:
            view = dict(self.questions[presentation])
            places = range(view.pop("pictures", 1))
            images = [self._image(presentation, place) for place in places]
            return {**trial, "task": view["layout"], "options": [], **view, "images": images}
        if second:
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
        return [
            Route("/fake/{study}", self.inspect),
            Route("/fake/{study}", self.configure, methods=["POST"]),
            Route("/api/health", self.health),
            Route("/api/consent", self.consent, methods=["POST"]),
            Route("/api/admit", self.admit, methods=["POST"]),
            Route("/api/trials", self.trials),
            Route("/api/form", self.form, methods=["POST"]),
            Route("/api/response", self.response, methods=["POST"]),
            Route("/api/withdraw", self.withdraw, methods=["POST"]),
            Route("/s/{name}.png", self.picture),
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
        return JSONResponse({"status": "ok"})

    def _who(self, request: Request) -> tuple[Study, str] | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        for study in self.studies.values():
            if token in study.participants:
                return study, token
        return None

    @staticmethod
    def _fault(study: Study, route: str) -> Response | None:
        if route in study.refusals:
            refusal = study.refusals[route]
            status = 403 if refusal["error"] == "not_invited" else 409
            return JSONResponse({"message": "Of no use to a participant.", **refusal}, status)
        statuses = study.fail_next.get(route, [])
        if not statuses:
            return None
        headers = {"Retry-After": study.retry_after} if study.retry_after else None
        fault = {"error": "fault", "message": "As told."}
        return JSONResponse(fault, statuses.pop(0), headers)

    async def consent(self, request: Request) -> Response:
        body = await request.json()
        study = self.studies.get(body["study"])
        if study is None:
            return JSONResponse(GONE, 404)
        if fault := self._fault(study, "consent"):
            return fault
        assert body["consent_sha256"] == CONSENT_SHA256[body["language"]]
        assert len(body["nonce"]) == 32
        for token, person in study.participants.items():
            if person["nonce"] == body["nonce"]:
                return JSONResponse({"token": token, "state": person["state"]})
        token = secrets.token_hex(16)
        study.participants[token] = {
            "nonce": body["nonce"],
            "state": "consented",
            "answers": {},
            "language": body["language"],
            "provider": body["provider"],
        }
        self._save()
        if fault := self._fault(study, "consent_reply"):
            return fault
        return JSONResponse({"token": token, "state": "consented"}, 201)

    async def admit(self, request: Request) -> Response:
        if (who := self._who(request)) is None:
            return JSONResponse({"error": "unauthorised", "message": "No."}, 401)
        study, token = who
        if fault := self._fault(study, "admit"):
            return fault
        if study.due(token):
            return JSONResponse({"error": "not_ready", "message": "A form is due."}, 409)
        study.participants[token]["state"] = "admitted"
        self._save()
        return JSONResponse({"state": "admitted", "position": 0, "total": study.total})

    async def trials(self, request: Request) -> Response:
        if (who := self._who(request)) is None:
            return JSONResponse({"error": "unauthorised", "message": "No."}, 401)
        study, token = who
        if fault := self._fault(study, "trials"):
            return fault
        person = study.participants[token]
        first = int(request.query_params["from"])
        n = int(request.query_params["n"])
        assert 1 <= n <= 20
        position = study.position(token)
        form = study.due(token)
        complete = person["state"] == "admitted" and position == study.total and not form
        body: dict[str, Any] = {
            "state": "complete" if complete else person["state"],
            "position": position,
            "total": study.total,
            "presentations": study.presentations,
            "complete": complete,
            "form": form,
            "trials": [],
        }
        if person["state"] in ENDINGS:
            html = f"<h2>Thank you</h2><p>{ENDINGS[person['state']]}</p>"
            body["ending"] = {"html": html, "code": "OUT-1", "redirect": None}
        if person["state"] == "admitted":
            last = min(first + n, study.total)
            body["trials"] = [study.trial(token, k) for k in range(first, last)]
        if complete:
            body["debrief"] = {
                "html": "<h2>Thank you</h2><p>This is what the study was about.</p>",
                "code": "QK7M-2XPA",
                "redirect": "https://example.org/back?cc=QK7M-2XPA",
            }
        return JSONResponse(body)

    async def form(self, request: Request) -> Response:
        if (who := self._who(request)) is None:
            return JSONResponse({"error": "unauthorised", "message": "No."}, 401)
        study, token = who
        if fault := self._fault(study, "form"):
            return fault
        body = await request.json()
        study.filled.append(body)
        if study.participants[token]["state"] == "timed_out":
            return JSONResponse(OVER, 409)
        person, due = study.participants[token], study.due(token)
        name, attempt = body["form"], body["attempt"]
        tries = person["forms"].setdefault(name, [])
        if attempt <= len(tries):
            return JSONResponse({"result": tries[attempt - 1], "state": person["state"]})
        if due is None or (due["form"], due["attempt"]) != (name, attempt):
            return JSONResponse({"error": "not_due", "message": "Not now."}, 409)
        assert ("device" in body) == (name == "screening")
        try:
            read = forms.read(due["items"], body["answers"])
        except forms.FormError as error:
            item = due_forms.unfit(study.forms, name, body["answers"])
            return JSONResponse({"error": "invalid", "message": str(error), "item": item}, 422)
        right = study.forms[name].get("right", {})
        fits = all(read[item] == value for item, value in right.items())
        result = "passed" if name == "comprehension" else "stored"
        if not fits and name == "comprehension":
            result = "again" if attempt < due["attempts"] else "failed"
        tries.append(result)
        if not fits and result != "again":
            person["state"] = "failed_check" if result == "failed" else "screened_out"
        self._save()
        if study.lose_acks > 0:
            study.lose_acks -= 1
            return JSONResponse({"error": "lost", "message": "Lost."}, 503)
        return JSONResponse({"result": result, "state": person["state"]})

    async def response(self, request: Request) -> Response:
        if (who := self._who(request)) is None:
            return JSONResponse({"error": "unauthorised", "message": "No."}, 401)
        study, token = who
        if study.delay_s:
            await asyncio.sleep(study.delay_s)
        if fault := self._fault(study, "response"):
            return fault
        body = await request.json()
        study.received.append(body)
        if study.participants[token]["state"] == "timed_out":
            return JSONResponse(OVER, 410)
        answers = study.participants[token]["answers"]
        ids = [study.trial(token, k)["trial_id"] for k in range(study.total)]
        if body["trial_id"] not in ids:
            return JSONResponse(GONE, 404)
        trial = study.trial(token, ids.index(body["trial_id"]))
        if body["answer"] == "timed_out":
            assert "response_window_ms" in trial
        elif trial["options"]:
            assert body["answer"] in [option["value"] for option in trial["options"]]
        kept = answers.get(body["trial_id"])
        if kept and kept["answer"] != body["answer"]:
            return JSONResponse({"error": "locked", "message": "Already answered."}, 409)
        status = "duplicate" if kept else "stored"
        answers.setdefault(body["trial_id"], body)
        self._save()
        if study.lose_acks > 0:
            study.lose_acks -= 1
            return JSONResponse({"error": "lost", "message": "Lost."}, 503)
        reply = {
            "status": status,
            "position": study.position(token),
            "complete": study.position(token) == study.total and not study.due(token),
        }
        if trial["phase"] == "practice":
            await asyncio.sleep(study.feedback_delay_s)
            right = body["answer"] in ("3", "yes")
            text = "Yes, most people see it so." if right else "Most people see it differently."
            reply["feedback"] = {"correct": right, "text": text}
        return JSONResponse(reply)

    async def withdraw(self, request: Request) -> Response:
        if (who := self._who(request)) is None:
            return JSONResponse({"error": "unauthorised", "message": "No."}, 401)
        study, token = who
        del study.participants[token]
        self._save()
        return JSONResponse({"state": "withdrawn"})

    async def picture(self, request: Request) -> Response:
        name, number, place = request.path_params["name"].rsplit("-", 2)
        study = self.studies[name]
        content = png(name, int(number), int(place))
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        if study.wrong_pictures > 0:
            study.wrong_pictures -= 1
            content = png("another", int(number), int(place))
        return Response(content, media_type="image/png", headers=headers)
