"""The human table of Ross & Doshi-Velez (2018): whom mistakes fool, and which seem reasonable."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from engine.statistics import Rate, crossed_rate

CANT_TELL = "cant_tell"
TIMED_OUT = "timed_out"


@dataclass(frozen=True)
class ConditionResult:
    """One row of the human table.

    Attributes:
        condition: its label.
        fooled: Q1 = target: the label chosen is the one that Q2 then shows.
        plausible: Q2 = yes.
        reasonable: Q2 = yes, or Q1 was "can't tell": the paper's scoring of a reasonable mistake.
        cant_tell: Q1 = "can't tell".
    """

    condition: str
    fooled: Rate
    plausible: Rate
    reasonable: Rate
    cant_tell: Rate


@dataclass(frozen=True)
class Attention:
    """How people did where the answer is known.

    Attributes:
        label: catch presentations whose first question got the true label.
        plausible: those whose second question got the expected yes or no.
    """

    label: Rate
    plausible: Rate


def human_table(
    ratings: pd.DataFrame, *, with_excluded: bool = False, seed: int = 0
) -> list[ConditionResult]:
    """Return one result a condition, over main presentations with both questions answered in time.

    A presentation is left out as soon as one of its answers is excluded.

    Args:
        ratings: the export's per-trial table.
        with_excluded: whether answers count that a pre-registered rule excludes.
        seed: decides the bootstrap's resamples.
    """
    main = ratings[ratings["trial_type"] == "main"]
    shown = _presentations(main if with_excluded else main[~main["excluded"]])
    results = []
    for condition, part in shown.groupby("condition", sort=True):
        fooled = part["label"] == part["shown"]
        plausible = part["plausible"] == "yes"
        cant_tell = part["label"] == CANT_TELL
        rates = [
            _rate(part, yes, seed) for yes in (fooled, plausible, plausible | cant_tell, cant_tell)
        ]
        results.append(ConditionResult(str(condition), *rates))
    return results


def attention(ratings: pd.DataFrame, *, seed: int = 0) -> Attention:
    """Return how catch trials were answered; one without an answer in time was missed.

    It describes everybody, also those whom the exclusion rules exclude: many of these are excluded
    because of just those answers, and without them the shares would say nothing.
    """

    def share(task: str) -> Rate:
        known = ratings[(ratings["trial_type"] == "catch") & (ratings["task"] == task)]
        return _rate(known, known["response"] == known["correct_option"], seed)

    return Attention(share("label_nafc"), share("target_plausible"))


def _presentations(trials: pd.DataFrame) -> pd.DataFrame:
    """Join the two questions of each presentation into one row: `label`, `shown`, `plausible`.

    Labels are class indices as text, as answers are. The words on the buttons are no data: they are
    in each participant's own language.
    """
    columns = ["presentation_id", "participant_id", "source_image_id", "condition"]
    trials = trials[trials["response"] != TIMED_OUT]
    label = trials[trials["task"] == "label_nafc"][[*columns, "response"]]
    plausible = trials[trials["task"] == "target_plausible"][
        ["presentation_id", "response", "shown_label_index"]
    ]
    plausible = plausible.assign(
        shown=plausible["shown_label_index"].astype("Int64").astype("string")
    )
    return label.rename(columns={"response": "label"}).merge(
        plausible.rename(columns={"response": "plausible"}), on="presentation_id"
    )


def _rate(part: pd.DataFrame, yes: pd.Series[bool], seed: int) -> Rate:
    return crossed_rate(
        yes.to_numpy(dtype=bool, na_value=False),
        part["participant_id"].to_numpy(dtype=str),
        part["source_image_id"].to_numpy(dtype=str),
        seed=seed,
    )
