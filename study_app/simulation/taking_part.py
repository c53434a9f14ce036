"""A simulated person at a server: from the consent to the code, or to where they leave."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from typing import Any, Literal

from engine.errors import PlausiblyError
from study_app.participation.texts import consent_sha256
from study_app.providers import Identity, Provider
from study_app.questions import TIMED_OUT
from study_app.simulation.filling_in import device, filled_in
from study_app.simulation.simulated_person import (
    Participation,
    SimulatedAnswer,
    SimulatedPerson,
)
from study_app.simulation.wire import Reply, Wire
from study_app.study import Study, wording

Fate = Literal["complete", "dropped_out", "withdrew", "screened_out", "failed_check"]

PAGE = 20
"""Trials that are asked for at once."""


class TakingPart:
    """One person at one server."""

    def __init__(self, person: SimulatedPerson, study: Study, port: int) -> None:
        """Send nothing yet.

        Args:
            person: who.
            study: in which.
            port: of the server on this machine.
        """
        self.person, self._study = person, study
        self._wire = Wire(port)
        self._port = port
        self._rng = person.rng("browser")
        self.token = ""
        self.fate: Fate | None = None

    async def consent(self) -> None:
        """Agree to the text in their language, and fill in what comes before the trials."""
        await self._consent(self._wire)
        while form := (await self._where(0, 1))["form"]:
            await self._fill_in(form)
            if self.fate is not None:
                return

    async def admit(self) -> None:
        """Get a place and a plan."""
        await self._ask("POST", "/api/admit", {})

    async def go_on(self, done: Participation) -> None:
        """Answer, and leave as they do."""
        here = self.person.rng("second tab")
        elsewhere = here.randrange(max(1, len(done.answers))) if self.person.second_tab else None
        trials: list[dict[str, Any]] = []
        for number, given in enumerate(done.answers):
            if number == len(trials):
                trials += (await self._where(number, PAGE))["trials"]
            await self._answer(trials[number], given)
            if number == elsewhere:
                await self._answer_elsewhere(trials[number], given)
        if done.withdraws:
            await self._ask("POST", "/api/withdraw", {})
            self.fate = "withdrew"
        elif done.drops_out:
            self.fate = "dropped_out"
        else:
            await self._finish()

    def close(self) -> None:
        """Hang up."""
        self._wire.close()

    async def _consent(self, wire: Wire) -> None:
        words = wording(self._study, self.person.language)
        provider = self._study.provider
        identity = identity_for(provider, self.person.rng("identity"))
        body = {
            "study": self._study.name,
            "consent_sha256": consent_sha256(words),
            "language": self.person.language,
            "provider": {"name": provider.name, "id": identity.id, "session": identity.session},
            "nonce": self.person.nonce,
        }
        reply = await wire.request("POST", "/api/consent", body=body)
        self.token = _expected("POST", "/api/consent", reply, 200, 201)["token"]

    async def _fill_in(self, form: Mapping[str, Any]) -> None:
        name, person = form["form"], self.person
        fails = {"screening": person.fails_screening, "comprehension": person.fails_comprehension}
        passes = not fails.get(name, False)
        body = {
            "form": name,
            "attempt": form["attempt"],
            "answers": filled_in(self._study, name, self._rng, passes=passes),
        }
        if name == "screening":
            body["device"] = device(self._study, phone=person.has_phone, passes=passes)
        result = (await self._ask("POST", "/api/form", body))["result"]
        if result == "failed":
            self.fate = "screened_out" if name == "screening" else "failed_check"

    async def _answer(self, trial: Mapping[str, Any], given: SimulatedAnswer) -> None:
        planned = given.question
        if (trial["position"], trial["task"]) != (planned.position, planned.trial.task):
            raise PlausiblyError(
                f"the server asks {trial['task']} as question {trial['position']}, the plan has "
                f"{planned.trial.task} as {planned.position}"
            )
        body = self._body(trial, given.answer, given.rt_ms)
        for _ in range(1 + given.twice):
            await self._ask("POST", "/api/response", body)

    async def _answer_elsewhere(self, trial: Mapping[str, Any], given: SimulatedAnswer) -> None:
        """Answer a question again in a second tab, which the server does not take."""
        tab = Wire(self._port)
        await self._consent(tab)
        others = [option for option in given.question.options if option != given.answer]
        if others:
            body = self._body(trial, others[0], 1000.0)
            reply = await tab.request("POST", "/api/response", self.token, body)
            _expected("POST", "/api/response", reply, 409)
        tab.close()

    def _body(self, trial: Mapping[str, Any], answer: str, rt_ms: float | None) -> dict[str, Any]:
        phone = self.person.has_phone
        timing: dict[str, Any] = {
            "hidden_ms": 0.0,
            "focus_lost_n": 0,
            "shown_n": 1,
            "frame_ms": 16.7,
        }
        if answer != TIMED_OUT:
            timing |= {"rt_source": "event", "input": "touch" if phone else "key"}
        if "exposure_ms" in trial:
            timing["exposure_ms"] = float(trial["exposure_ms"])
        return {
            "event_id": str(uuid.UUID(int=self._rng.getrandbits(128), version=4)),
            "trial_id": trial["trial_id"],
            "attempt": 1,
            "answer": answer,
            "rt_ms": rt_ms,
            "timing": timing,
            "display": {
                "device_pixel_ratio": 3 if phone else 1,
                "rendering": "exact",
                "window_w": 390 if phone else 1440,
                "window_h": 844 if phone else 900,
            },
        }

    async def _finish(self) -> None:
        """Fill in what comes after the trials; see that the server calls it complete."""
        while form := (state := await self._where(0, 0))["form"]:
            await self._fill_in(form)
        if not state["complete"]:
            raise PlausiblyError(
                f"simulated person {self.person.number} has answered everything, and the server "
                f"has them at {state['position']} of {state['total']}"
            )
        self.fate = "complete"

    async def _where(self, start: int, count: int) -> dict[str, Any]:
        found: dict[str, Any] = await self._ask("GET", f"/api/trials?from={start}&n={count}")
        return found

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        reply = await self._wire.request(method, path, self.token, body)
        return _expected(method, path, reply, 200)


def identity_for(provider: Provider, rng: random.Random) -> Identity:
    """Return an identity that a provider takes, of nobody.

    Raises:
        PlausiblyError: it takes none of those that can be made up.
    """
    ids = [f"{rng.getrandbits(96):024x}" for _ in range(2)]
    letters = "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=16))
    code = "-".join(letters[place : place + 4] for place in range(0, 16, 4))
    made_up = [Identity(), Identity(*ids), Identity(ids[0]), Identity(code)]
    for identity in made_up:
        if provider.refusal(identity) is None:
            return identity
    raise PlausiblyError(f"provider {provider.name}: no simulated person can have an id of its own")


def _expected(method: str, path: str, reply: Reply, *statuses: int) -> Any:
    if reply.status not in statuses:
        raise PlausiblyError(
            f"{method} {path}: the server answers {reply.status} to a simulated person: "
            f"{reply.body}"
        )
    return reply.body
