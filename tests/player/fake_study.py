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

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

SIZE = 28
PER_PRESENTATION = 2
GONE = {"error": "not_found", "message": "There is nothing here."}


def stimulus(study: str, presentation: int) -> Image.Image:
    """The 8-bit grey picture of a presentation: noise, so that no two pixels can be mixed up."""
    grey = random.Random(f"{study}/{presentation}").randbytes(SIZE * SIZE)
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
    # faults
    fail_next: dict[str, list[int]] = field(default_factory=dict)  # route -> statuses to answer
    lose_acks: int = 0  # store the next answers, but answer 503
    wrong_pictures: int = 0  # the next pictures have other bytes
    delay_s: float = 0
    feedback_delay_s: float = 0
    # what happened
    participants: dict[str, dict[str, Any]] = field(default_factory=dict)  # by token
    received: list[dict[str, Any]] = field(default_factory=list)  # every POST /api/response

    @property
    def total(self) -> int:
        return PER_PRESENTATION * (self.practice + self.main)

    def position(self, token: str) -> int:
        """The first trial without an answer."""
        answers = self.participants[token]["answers"]
        unanswered = (
            k for k in range(self.total) if self.trial(token, k)["trial_id"] not in answers
        )
        return next(unanswered, self.total)

    def trial(self, token: str, k: int) -> dict[str, Any]:
        """The k-th trial as the contract has it."""
        presentation, second = divmod(k, PER_PRESENTATION)
        own = hashlib.sha256(f"{token}/{k}".encode()).hexdigest()[:16]
        trial = {
            "trial_id": own,
            "position": k,
            "presentation_id": f"{token[:6]}-{presentation}",
            "presentation": presentation,
            "phase": "practice" if presentation < self.practice else "main",
            "image": {
                "url": f"/s/{self.name}-{presentation}.png",
                "sha256": hashlib.sha256(png(self.name, presentation)).hexdigest(),
                "width": SIZE,
                "height": SIZE,
            },
        }
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


def png(study: str, presentation: int) -> bytes:
    """The stimulus as PNG bytes."""
    buffer = BytesIO()
    stimulus(study, presentation).save(buffer, "PNG")
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
        statuses = study.fail_next.get(route, [])
        if not statuses:
            return None
        return JSONResponse({"error": "fault", "message": "As told."}, statuses.pop(0))

    async def consent(self, request: Request) -> Response:
        body = await request.json()
        study = self.studies.get(body["study"])
        if study is None:
            return JSONResponse(GONE, 404)
        if fault := self._fault(study, "consent"):
            return fault
        assert body["consent_sha256"] == "c" * 64
        assert len(body["nonce"]) == 32
        for token, person in study.participants.items():
            if person["nonce"] == body["nonce"]:
                return JSONResponse({"token": token, "state": person["state"]})
        token = secrets.token_hex(16)
        study.participants[token] = {"nonce": body["nonce"], "state": "consented", "answers": {}}
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
        complete = position == study.total
        body: dict[str, Any] = {
            "state": "complete" if complete else person["state"],
            "position": position,
            "total": study.total,
            "presentations": study.practice + study.main,
            "complete": complete,
            "trials": [],
        }
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
        answers = study.participants[token]["answers"]
        ids = [study.trial(token, k)["trial_id"] for k in range(study.total)]
        if body["trial_id"] not in ids:
            return JSONResponse(GONE, 404)
        trial = study.trial(token, ids.index(body["trial_id"]))
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
            "complete": study.position(token) == study.total,
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
        name, _, number = request.path_params["name"].rpartition("-")
        study = self.studies[name]
        content = png(name, int(number))
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        if study.wrong_pictures > 0:
            study.wrong_pictures -= 1
            content = png("another", int(number))
        return Response(content, media_type="image/png", headers=headers)
