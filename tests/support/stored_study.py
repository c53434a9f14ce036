"""A small laboratory: a database with a study, and people who take part in it."""

import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pandas as pd

from db import export
from db import repository as repo
from db.export import Evidence, Verdict
from db.session import Database

START = datetime(2026, 11, 21, 10, 20, 30, 123456, tzinfo=UTC)
SLOTS = (("only", 0), ("only", 1), ("only", 2))
OPTIONS = [{"value": str(n), "label": str(n), "key": str(n)} for n in range(10)]


def sha256(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def excludes_nothing(evidence: Evidence) -> Verdict:
    """The judge of a study without exclusion rules."""
    return Verdict([[] for _ in range(len(evidence.people))], [[] for _ in evidence.answers.index])


class ScoresNothing:
    """The scorer of answers that mean nothing."""

    columns: Sequence[export.Column] = ()

    def __call__(self, answers: Sequence[export.Answered], ratings: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(index=ratings.index)


scores_nothing = ScoresNothing()
ratings = partial(export.ratings, judge=excludes_nothing, score=scores_nothing)
participants = partial(export.participants, judge=excludes_nothing)
write_csv = partial(export.write_csv, judge=excludes_nothing, score=scores_nothing)


def stimulus(index: int) -> repo.StimulusRow:
    """A stimulus with a passport of the agreed shape; even indices are adversarial, odd clean."""
    adversarial = index % 2 == 0
    png = b"\x89PNG not really " + str(index).encode()
    passport: dict[str, Any] = {
        "schema": 1,
        "kind": "adversarial" if adversarial else "clean",
        "source": {
            "dataset": "digits",
            "data_sha256": sha256("digits"),
            "split": "test",
            "index": index,
            "image_id": sha256(f"image {index}"),
        },
        "true_label": index % 10,
        "target": (index + 1) % 10 if adversarial else None,
        "defense": "gradient_penalty" if adversarial else None,
        "model": {"id": "key", "weights_sha256": sha256("weights")} if adversarial else None,
        "attack": {
            "name": "tgsm",
            "params": {"steps": 10, "step_size": 0.1},
            "artifact": "key",
            "content_sha256": sha256("attack"),
        }
        if adversarial
        else None,
        "before": {"label": index % 10, "confidence": 0.99},
        "prediction": {"label": (index + 1) % 10, "confidence": 0.93} if adversarial else None,
        "norms": {"linf": 0.7, "l2": 5.1, "l0": 300} if adversarial else None,
        "pixels": {"sha256": sha256(f"pixels {index}"), "shape": [1, 28, 28], "dtype": "uint8"},
    }
    text = json.dumps(passport, sort_keys=True, separators=(",", ":"))
    return repo.StimulusRow(
        stimulus_id=sha256(text),
        pixels_sha256=passport["pixels"]["sha256"],
        file_sha256=sha256(png),
        image_id=passport["source"]["image_id"],
        passport_json=text,
        png=png,
        width=28,
        height=28,
    )


STIMULI = tuple(stimulus(index) for index in range(4))


def draw(arm: str, list_index: int, seed: int) -> list[repo.PlannedPresentation]:
    """Two practice-like questions on each of the stimuli, the first presentation practice."""
    plan = []
    for index in range(len(STIMULI)):
        shown = STIMULI[(index + list_index) % len(STIMULI)]
        practice = index == 0
        plan.append(
            repo.PlannedPresentation(
                stimulus_id=shown.stimulus_id,
                phase="practice" if practice else "main",
                role="practice" if practice else "main",
                condition="practice" if practice else "gradient_penalty",
                block=0 if practice else 1,
                trials=(
                    repo.PlannedTrial(
                        task="label_nafc",
                        view={"prompt": "Which?", "layout": "grid", "options": OPTIONS},
                        correct_option="3",
                    ),
                    repo.PlannedTrial(
                        task="target_plausible",
                        view={"prompt": "Could it be a 4?", "layout": "row", "options": []},
                        shown_label="4",
                        foil_policy="target",
                    ),
                ),
            )
        )
    return plan


@dataclass
class Lab:
    """Shorthand for what a study does, with a clock of its own. `database` is upgraded."""

    database: Database
    start: datetime = START
    now: datetime = START
    slots: tuple[tuple[str, int], ...] = SLOTS
    stimuli: tuple[repo.StimulusRow, ...] = STIMULI
    draw = staticmethod(draw)
    stimulus = staticmethod(stimulus)
    sha256 = staticmethod(sha256)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def later(self, **delta: float) -> datetime:
        self.now += timedelta(**delta)
        return self.now

    def publish(self, name: str = "demo", **changes: Any) -> repo.StudyVersionInfo:
        arguments: dict[str, Any] = {
            "config": {"title": "Demo"},
            "design": {"lists": 3},
            "stage": "main",
            "stimuli": STIMULI,
            "content_sha256": sha256("content"),
            "now": self.now,
        }
        return self.database.write(
            lambda s: repo.publish_study(s, name=name, **(arguments | changes))
        )

    def open(self, name: str = "demo", **changes: Any) -> repo.StudyVersionInfo:
        self.publish(name, **changes)
        return self.database.write(lambda s: repo.set_study_status(s, name=name, status="live"))

    def consent(
        self, version: repo.StudyVersionInfo, nonce: str | None = None, **changes: Any
    ) -> tuple[repo.ParticipantInfo, bool]:
        number = next(self._numbers)
        nonce = nonce or f"nonce {number}"
        arguments: dict[str, Any] = {
            "token_sha256": sha256(f"token of {nonce}"),
            "nonce_sha256": sha256(nonce),
            "provider": "direct",
            "provider_id": None,
            "provider_id_hmac": None,
            "language": "en",
            "consent_sha256": sha256("consent text"),
            "consent_version": "1",
            "seed": number,
        }
        further = {key: changes.pop(key) for key in ("now", "quota") if key in changes}
        given = repo.GivenConsent(**(arguments | changes))
        return self.database.write(
            lambda s: repo.create_participant(
                s, study_version_id=version.id, given=given, **({"now": self.now} | further)
            )
        )

    def admit(self, version: repo.StudyVersionInfo, **changes: Any) -> repo.ParticipantInfo:
        person, _ = self.consent(version, **changes)
        return self.database.write(
            lambda s: repo.admit(s, participant_id=person.id, slots=SLOTS, draw=draw, now=self.now)
        )

    def trials(self, person: repo.ParticipantInfo) -> list[repo.TrialView]:
        with self.database.read() as s:
            return repo.trials_from(s, participant_id=person.id, start=0, count=100)

    def answer(
        self, person: repo.ParticipantInfo, trial_id: str, answer: str = "3", **changes: Any
    ) -> repo.Outcome:
        arguments: dict[str, Any] = {
            "event_id": f"event of {trial_id}",
            "attempt": 1,
            "answer_label": answer,
            "rt_ms": 612.5,
            "timing": {
                "rt_source": "event",
                "onset_error_ms": 8.3,
                "hidden_ms": 0,
                "focus_lost_n": 0,
                "input": "key",
                "started_utc": "2026-11-21T10:20:29.000Z",
            },
            "display": {
                "css_px": 280,
                "device_pixel_ratio": 2,
                "upscale_factor": 20,
                "window_w": 1280,
                "window_h": 720,
                "rendering": "exact",
            },
            "now": self.now,
            "completion_code": lambda: "CODE",
        }
        return self.database.write(
            lambda s: repo.record_response(
                s,
                participant_id=person.id,
                trial_id=trial_id,
                answer=answer,
                **(arguments | changes),
            )
        )

    def finish(self, person: repo.ParticipantInfo) -> repo.Outcome:
        outcomes = [self.answer(person, trial.trial_id) for trial in self.trials(person)]
        return outcomes[-1]

    def count(self, table: Any) -> int:
        with self.database.read() as s:
            return s.query(table).count()
