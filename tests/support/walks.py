"""Shipped studies on a server, and what a walk through one of them must have seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import study_words
from live_server import LiveServer
from playwright.sync_api import BrowserContext, ConsoleMessage, Page
from sqlalchemy import select
from sqlalchemy.orm import Session
from study_words import squeezed
from synthetic import experiment, protocols
from walker import PHONE, Fill, Stop, Walker

from db import repository
from db.models import Participant, Presentation, Response, Trial
from db.repository import TrialView
from db.session import Database
from engine.artifacts import ArtifactStore
from study_app.design import publish
from study_app.player import ui_strings
from study_app.study import ALL, BUILT_IN, Study, Wording, load, wording

NAMES = sorted(path.stem for path in BUILT_IN.glob("*.yaml"))


def shortened(study: Study, arm: str) -> Study:
    """One arm of a study, with as few presentations as leave each condition and every break.

    Practice, catch, forms, breaks and texts are the file's.
    """
    kept = study.all_arms[arm]
    fewest = {
        label: study.conditions[label].model_copy(update={"presentations": 1})
        for label in kept.conditions
    }
    arms = {arm: kept} if study.arms else {}
    short = study.model_copy(update={"arms": arms, "conditions": fewest})
    every = study.breaks.every if study.breaks else 0
    for label in cycle(short.of_arm(arm)):
        if short.presentations(arm) + study.catch > every:
            break
        condition = short.conditions[label]
        more = condition.model_copy(update={"presentations": condition.presentations + 1})
        short = short.model_copy(update={"conditions": {**short.conditions, label: more}})
    return short


def arms_to_walk(study: Study) -> list[str]:
    """The arm that shows the most pictures, and every arm that says what none before it says."""

    def pictures(arm: str) -> int:
        return sum(len(c.shown_pictures) for c in study.of_arm(arm).values())

    own = wording(study, study.language)
    walked: dict[str, set[str]] = {}
    for arm in sorted(study.all_arms, key=pictures, reverse=True):
        said = {phrase.pattern for phrase in study_words.of_questions(study, arm, own)}
        if not walked or not said <= set().union(*walked.values()):
            walked[arm] = said
    return list(walked)


def shipped() -> dict[str, Study]:
    """Everything there is to walk: the studies of the folder, shortened, by name and arm."""
    return {
        name if arm == ALL else f"{name}-{arm}": shortened(study, arm)
        for name in NAMES
        for study in [load(name)]
        for arm in arms_to_walk(study)
    }


def serve(folder: Path, studies: Iterable[Study]) -> LiveServer:
    """Publish studies as `plausibly study launch` does, and serve them."""
    home = folder / "published"
    store = ArtifactStore(home / "artifacts")
    experiment(store)
    protocols(store)
    database = Database(home / "study.db")
    database.upgrade()
    for study in studies:
        publish.publish(study, store, database)
    database.close()
    return LiveServer(home, folder)


def fitting(study: Study) -> Fill:
    """Answers to the forms of a study with which one gets through."""

    def fill(form: str, name: str) -> Any:
        (item,) = [item for item in getattr(study, form).items if item.name == name]
        match item.kind:
            case "number":
                return int(item.low if item.low is not None else 30)
            case "text":
                return "words"
            case "choices":
                return list(item.accept or [item.options[0].value])
        return item.correct or (item.accept or [item.options[0].value])[0]

    return fill


class Visit:
    """One person's way through a study, on a phone: by the light page, else by Streamlit's.

    Attributes:
        stops: where they were; see `walker.Stop`.
        errors: what the browser complained about.
        words: the study in their language.
        ui: the player in their language.
    """

    def __init__(
        self,
        server: LiveServer,
        new_context: Callable[..., BrowserContext],
        study: Study,
        *,
        fill: Fill | None = None,
        language: str | None = None,
        consents: bool = True,
        light: bool = True,
    ) -> None:
        self.study = study
        self._file = server.home / "study.db"
        self.words: Wording = wording(study, language or study.language)
        self.ui = ui_strings(self.words.language)
        self.errors: list[str] = []
        page = new_context(**PHONE, locale="en").new_page()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        door = f"/p/{study.name}?" if light else f"/take?study={study.name}&"
        page.goto(f"{server.url}{door}lang={self.words.language}")
        self.page: Page = page
        self.stops: list[Stop] = Walker(page, fill or fitting(study), consents).walk().stops

    def _console(self, message: ConsoleMessage) -> None:
        where = message.location.get("url", "")
        if message.type == "error":
            self.errors.append(f"{message.text} {where}")

    @contextmanager
    def _read(self) -> Iterator[Session]:
        database = Database(self._file)
        try:
            with database.read() as session:
                yield session
        finally:
            database.close()

    @property
    def screens(self) -> list[str]:
        """The player's screens, each once, in the order seen."""
        return list(dict.fromkeys(stop.form or stop.screen for stop in self.stops))

    def participant(self) -> Participant | None:
        """Whom the server knows them as: who came to the study last."""
        with self._read() as s:
            version = repository.study(s, self.study.name)
            assert version is not None
            return s.scalar(
                select(Participant)
                .where(Participant.study_version_id == version.id)
                .order_by(Participant.created_at.desc())
                .limit(1)
            )

    def assert_well_shown(self) -> None:
        """Nothing is beside the window or cut off; no trial has to be scrolled; no errors.

        With its feedback in practice.
        """
        assert self.errors == []
        for stop in self.stops:
            assert stop.wrong == [], (stop.screen, stop.text)
            if stop.screen == "trial":
                assert (stop.scrolled, stop.hidden) == (0, 0), (stop.trial, stop.text)

    def assert_seen(self, screen: str, texts: Iterable[str]) -> None:
        """Every text was on a screen, or on the form of that name."""
        there = [squeezed(s.text) for s in self.stops if screen in (s.screen, s.form)]
        for text in texts:
            assert any(squeezed(text) in page for page in there), (screen, text)

    def assert_read(self, screen: str, key: str) -> None:
        """The study's text of that key was read on a screen."""
        self.assert_seen(screen, study_words.paragraphs(self.words.texts[key]))

    def assert_said(self, screen: str) -> None:
        """What the player itself says on a screen was seen."""
        self.assert_seen(screen, study_words.of_the_player(screen, self.ui))

    def assert_before_the_trials(self) -> None:
        """Consent, instructions and forms were read, in this order."""
        study, own = self.study, ["screening", "instructions", "comprehension"]
        expected = [name for name in own if name == "instructions" or getattr(study, name)]
        assert self.screens[: 1 + len(expected)] == ["consent", *expected]
        self.assert_said("consent")
        for screen in "consent", "instructions":
            self.assert_seen(screen, [self.words.title])
            self.assert_read(screen, screen)
        for form in expected:
            if form != "instructions":
                self.assert_seen(form, study_words.of_a_form(study, form, self.words, self.ui))

    def assert_complete(self) -> None:
        """Everything on the way through the study was seen, and the server has all of it."""
        self.assert_before_the_trials()
        person = self.participant()
        assert person is not None
        assert person.status == "complete"
        self._assert_trials(person)
        if self.study.practice or self.study.presentations(person.arm or "", "practice"):
            self.assert_said("practised")
        rests = sum(stop.screen == "break" for stop in self.stops)
        assert rests >= (self.study.breaks is not None)
        if rests:
            self.assert_said("break")
        if self.study.demographics:
            asked = study_words.of_a_form(self.study, "demographics", self.words, self.ui)
            self.assert_seen("demographics", asked)
        assert self.screens[-1] == "debrief"
        self.assert_read("debrief", "debrief")
        self.assert_seen("debrief", [self.ui["code_label"], person.completion_code or ""])

    def _assert_trials(self, person: Participant) -> None:
        trials = self._trials(person.id)
        asked = {stop.trial: number for number, stop in enumerate(self.stops) if stop.trial}
        assert list(asked) == [view.trial_id for view, _, _ in trials]
        for view, right, answer in trials:
            number = asked[view.trial_id]
            page = squeezed(self.stops[number].text)
            for text in study_words.of_a_view(view.view):
                assert squeezed(text) in page, (view.task, text)
            if view.phase == "practice":
                assert self.ui["practice"] in self.stops[number].text
                self._assert_feedback(self.stops[number + 1], view, right, answer)
        pages = [squeezed(self.stops[number].text) for number in asked.values()]
        for phrase in study_words.of_questions(self.study, person.arm or "", self.words):
            assert any(map(phrase.search, pages)), phrase

    def _assert_feedback(
        self, stop: Stop, view: TrialView, right: str | None, answer: Mapping[str, str]
    ) -> None:
        if right is None:  # neither right nor wrong
            return
        assert stop.trial is None
        labels = {option["value"]: option["label"] for option in view.view["options"]}
        key = "feedback_right" if answer["answer"] == right else "feedback_wrong"
        said = self.words.texts[key].replace("{given}", answer["label"])
        assert squeezed(said.replace("{right}", labels[right])) in squeezed(stop.text)

    def _trials(self, person: str) -> list[tuple[TrialView, str | None, dict[str, str]]]:
        """Every trial with its expected answer and the one given."""
        with self._read() as s:
            views = repository.trials_from(s, participant_id=person, start=0, count=10_000)
            rows = s.execute(
                select(Trial.id, Trial.correct_option, Response.answer, Response.answer_label)
                .join(Response, Response.trial_id == Trial.id)
                .join(Presentation, Presentation.id == Trial.presentation_id)
                .where(Trial.participant_id == person)
            ).all()
        given = {row[0]: (row[1], {"answer": row[2], "label": row[3]}) for row in rows}
        return [(view, *given[view.trial_id]) for view in views]
