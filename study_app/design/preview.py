"""What one participant would see: the plan as a table or JSON, the pictures as one sheet."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from PIL import Image, ImageDraw, ImageFont
from rich.table import Table

from db.repository import PlannedPresentation
from engine.errors import UsageError
from engine.results import Results
from engine.stimuli import Stimulus
from study_app import templates
from study_app.design import participant_plan
from study_app.design.study_design import design
from study_app.study import Study, Wording, languages, markdown_html, wording

SUFFIXES = (".html", ".png")
_SIDE = 112
"""Pictures on a sheet are enlarged by whole numbers to about this many pixels."""
_COLUMNS = 4
_NARROWEST = 230
_BEFORE = ("consent", "screening", "instructions", "comprehension")
_AFTER = ("demographics", "debrief")


@dataclass(frozen=True)
class _Page:
    """What is read or asked before or after the trials.

    Attributes:
        name: its key in the study file.
        text: of a text, as HTML; empty for a form.
        items: of a form, each a prompt with its options.
    """

    name: str
    text: Markup
    items: tuple[tuple[str, list[str]], ...]


@dataclass(frozen=True)
class Seen:
    """The plan of one participant with its pictures.

    Attributes:
        study: whose plan it is.
        slot: arm and list.
        seed: the participant's.
        plan: what was drawn.
        stimuli: the pictures by id.
        words: its words in the participant's language.
    """

    study: Study
    slot: tuple[str, int]
    seed: int
    plan: Sequence[PlannedPresentation]
    stimuli: Mapping[str, Stimulus]
    words: Wording

    @property
    def title(self) -> str:
        """What is seen, for readers."""
        return f"{self.study.name}: arm {self.slot[0]}, list {self.slot[1]}, seed {self.seed}"

    def pictures(self, presentation: PlannedPresentation) -> list[Stimulus]:
        """Return the pictures of a presentation in the order shown."""
        return [self.stimuli[i] for i in (presentation.stimulus_id, *presentation.further)]

    def to_json(self) -> dict[str, Any]:
        """Return slot, seed and presentations with the passports of their pictures."""
        return {
            "study": self.study.name,
            "arm": self.slot[0],
            "list": self.slot[1],
            "seed": self.seed,
            "presentations": [
                {**asdict(one), "passports": [dict(s.passport) for s in self.pictures(one)]}
                for one in self.plan
            ],
        }

    def table(self) -> Table:
        """Return a row a presentation."""
        table = Table(title=self.title, title_justify="left")
        for heading in ("", "block", "role", "condition", "pictures", "questions", "expected"):
            table.add_column(heading, justify="right" if heading in ("", "block") else "left")
        for number, one in enumerate(self.plan, 1):
            table.add_row(
                str(number),
                str(one.block),
                one.role,
                one.condition,
                ", ".join(_brief(stimulus.passport) for stimulus in self.pictures(one)),
                "\n".join(
                    ", ".join((_asked(trial.task, trial.shown_label), *_times(trial.view)))
                    for trial in one.trials
                ),
                "\n".join(trial.correct_option or "" for trial in one.trials),
            )
        return table

    def write(self, path: Path) -> None:
        """Write the sheet: one self-contained HTML page, or a PNG."""
        path.write_bytes(self._html().encode() if path.suffix == ".html" else self._png())

    def _html(self) -> str:
        return templates.render(
            "design/preview.html",
            seen=self,
            before=self._pages(_BEFORE),
            after=self._pages(_AFTER),
            size=_wide,
            base64=lambda png: base64.b64encode(png).decode(),
            choices=lambda view: [*(each["label"] for each in view["options"]), *_times(view)],
        )

    def _pages(self, names: Sequence[str]) -> list[_Page]:
        """Return the texts and forms of those names, as far as the study has them."""
        forms = self.study.forms
        pages = []
        for name in names:
            if name in self.words.texts:
                # `markdown_html` lets no HTML of the study file through.
                text = Markup(markdown_html(self.words.texts[name]))  # noqa: S704
                pages.append(_Page(name, text, ()))
            elif name in forms:
                items = tuple(
                    (
                        self.words.say(item.prompt),
                        [self.words.say(option.label) for option in item.options],
                    )
                    for item in forms[name].items
                )
                pages.append(_Page(name, Markup(), items))
        return pages

    def _png(self) -> bytes:
        font = ImageFont.load_default(11)
        most = max(1 + len(one.further) for one in self.plan)
        width, height = max(_NARROWEST, most * (_SIDE + 4) + 20), _SIDE + 52
        rows = -(-len(self.plan) // _COLUMNS)
        sheet = Image.new("RGB", (_COLUMNS * width, rows * height), "white")
        pen = ImageDraw.Draw(sheet)
        for number, one in enumerate(self.plan):
            left, top = number % _COLUMNS * width + 8, number // _COLUMNS * height + 6
            pen.text((left, top), f"{number + 1} {one.role} {one.condition}", "black", font)
            for place, stimulus in enumerate(self.pictures(one)):
                image = Image.open(io.BytesIO(stimulus.png)).convert("RGB")
                enlarged = image.resize(_wide(stimulus), Image.Resampling.NEAREST)
                sheet.paste(enlarged, (left + place * (_SIDE + 4), top + 16))
            for line, trial in enumerate(one.trials[:2]):
                said = _asked(trial.task, trial.shown_label)
                pen.text((left, top + _SIDE + 17 + 13 * line), said, "#555", font)
        buffer = io.BytesIO()
        sheet.save(buffer, format="PNG", optimize=True)
        return buffer.getvalue()


def draw(
    study: Study,
    results: Results,
    *,
    arm: str | None = None,
    list_index: int = 0,
    seed: int = 0,
    language: str | None = None,
) -> Seen:
    """Draw the design of `study` and from it the plan of one participant.

    Raises:
        UsageError: no such arm, list or language, or the design cannot be drawn.
    """
    arm = next(iter(study.all_arms)) if arm is None else arm
    if arm not in study.all_arms:
        raise UsageError(f"unknown arm {arm!r}; known: {', '.join(study.all_arms)}")
    if list_index >= study.lists(arm):
        raise UsageError(f"--list {list_index}: arm {arm!r} has {study.lists(arm)}, from 0")
    if language is not None and language not in languages(study):
        known = ", ".join(languages(study))
        raise UsageError(f"unknown language {language!r}; the study has: {known}")
    drawn = design(study, results)
    words = wording(study, language or study.language)
    planned = participant_plan.draw(drawn.document, arm, list_index, seed, wording=words)
    return Seen(study, (arm, list_index), seed, planned, drawn.stimuli, words)


def _wide(stimulus: Stimulus) -> tuple[int, int]:
    _, height, width = stimulus.pixels.shape
    factor = max(1, _SIDE // max(height, width))
    return width * factor, height * factor


def _brief(passport: Mapping[str, Any]) -> str:
    source = f"#{passport['source']['index']}"
    if passport["kind"] == "map":
        name = passport["saliency"]["name"]
        return f"{'placebo' if passport['saliency']['placebo'] else 'map'} {name} {source}"
    return " ".join(filter(None, (passport["kind"], passport["defense"], source)))


def _times(view: Mapping[str, Any]) -> list[str]:
    """Return in words how long the pictures are shown and the answer may take, where it is set."""
    said = {"exposure_ms": "shown for {} ms", "response_window_ms": "answer within {} ms"}
    hidden = ["not shown again"] if view.get("exposure_ms") == 0 else []
    return hidden + [words.format(view[key]) for key, words in said.items() if view.get(key)]


def _asked(task: str, label: str | None) -> str:
    return task if label is None else f"{task} ({label})"
