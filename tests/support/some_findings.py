"""Findings put together by hand: every kind of figure, with values that are easy to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from typing import Any

from engine.analysis.attention import Attention
from engine.analysis.basis import Basis
from engine.analysis.contrasts import Contrast, ContrastSpec
from engine.analysis.detection import Detection
from engine.analysis.estimates import CellEstimate, Item, Sensitivity
from engine.analysis.exclusions import Excluded
from engine.analysis.outcomes import TIE, Outcome
from engine.analysis.preferences import Strength, Strengths
from engine.analysis.rater_agreement import Agreement, Consistency
from engine.analysis.times import CellTime, Course
from engine.statistics.clustered import Clustered, Difference
from engine.statistics.mixed import MixedTest
from engine.statistics.two_way import Estimate
from study_app.analysis.findings import Findings, OutcomeFindings
from study_app.analysis.flow import Branch, Flow
from study_app.analysis.registration import Registration
from study_app.study.analysis_plan import AnalysisPlan, PlannedContrast

CONDITIONS = {
    "none": "No defense",
    "gradient_penalty": "Gradient penalty",
    "adversarial_training": "Adversarial training with a title that is rather long",
    "clean": "Clean",
}
SHARES = dict(zip(CONDITIONS, (0.31, 0.48, 0.44, 0.06), strict=True))
WHEN = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
ONE_IMAGE = "One image: nothing is known of others."

PLAUSIBLE = Outcome(
    "said_plausible",
    "binary",
    "yes to whether a person could say the label",
    "called the target plausible",
    "target_plausible",
)
RATING = Outcome(
    "rating", "ordinal", "from 1 to 5", "how easy it was", "rating_scale", low=1, high=5
)
LABEL = Outcome("chosen_label", "choice", "class chosen", "the class chosen", "label_nafc")
PREFERRED = Outcome(
    "preferred", "preference", "the better picture", "the better picture", "pair_preference"
)
WORDS = Outcome("words", "text", "what people wrote", "own words", "free_text")


def mean(value: float | None, half: float = 0.12, **changes: Any) -> Clustered:
    """A mean of 12 people and 8 images."""
    low, high = (-inf, inf) if value is None else (value - half, value + half)
    made = Clustered(value, low, high, half / 2, 11.0, 42.0, 96, 12, 8)
    return replace(made, **changes)


def cells(
    outcome: Outcome, values: Mapping[str, float], arms: Sequence[str], **changes: Any
) -> list[CellEstimate]:
    """An estimate per condition and arm."""
    return [
        CellEstimate(
            outcome.name, label, arm, mean(v), mean(v - 0.02), None, {}, 96, 3, 0, **changes
        )
        for arm in arms
        for label, v in values.items()
    ]


def contrast(of: str, to: tuple[str, ...], *, registered: bool, **changes: Any) -> Contrast:
    """A difference of 17 points that is decided."""
    spec = ContrastSpec(
        PLAUSIBLE,
        of,
        to,
        within="all",
        claim="above_every" if len(to) > 1 else "different",
        family="primary" if registered else "exploratory",
        registered=registered,
        smallest_effect=0.12 if registered else None,
    )
    difference = Difference(Estimate(0.17, 0.05, 11.0, 12, 8), 192, 12, 8, 12, 8)
    made = Contrast(
        spec,
        [difference] * len(to),
        0.17,
        0.06,
        0.28,
        to[0],
        0.004,
        0.008,
        [MixedTest(2.1, 1.3, 3.4, 0.74, 0.24, 0.003, {"person": 0.8}, False)] if registered else [],
        "above",
        "The difference is 17 points (6 to 28), corrected p .008.",
    )
    return replace(made, **changes)


def every_outcome(arms: Sequence[str], images: Sequence[str]) -> list[OutcomeFindings]:
    """One of each kind; the first is primary."""
    plausible = cells(PLAUSIBLE, SHARES, arms)
    plausible[0] = replace(
        plausible[0], estimate=mean(0.5, refused=ONE_IMAGE, low=0.0, high=1.0, images=1)
    )
    items = [
        Item(key, label, arms[0], SHARES[label], 6, {"true": 2, "false": 4})
        for key in images
        for label in CONDITIONS
    ]
    scale = cells(RATING, dict(zip(CONDITIONS, (2.1, 3.2, 3.0, 4.6), strict=True)), arms)
    scale = [
        replace(c, quartiles=(1.0, 3.0, 4.0), counts={"1": 9, "3": 40, "5": 30}) for c in scale
    ]
    chosen = [
        replace(
            c,
            estimate=None,
            by_ratings=None,
            counts={**{str(n): 7 for n in range(10)}, "cant_tell": 26},
        )
        for c in cells(LABEL, SHARES, arms)
    ]
    picked = [replace(item, value=None, counts={"3": 4, "cant_tell": 2}) for item in items]
    return [
        OutcomeFindings(
            PLAUSIBLE,
            "primary",
            True,
            plausible,
            items,
            [],
            detections=[
                Detection("said_plausible", "none", "clean", arms[0], 0.31, 0.06, 1.06, 0.6, 1.5,
                          0.9, 0.5, 1.3, [("p", 1.0, 0.8)], "One condition is the noise."),
                Detection("said_plausible", "gradient_penalty", "clean", arms[0], None, None, None,
                          -inf, inf, None, -inf, inf, [], "Nobody said yes."),
            ],
            agreement=[Agreement("said_plausible", arms[0], 0.21, 0.1, 0.33, "nominal", 0.8, 0.6,
                                 0.9, 32, 12)],
            sensitivity=[
                Sensitivity("", 2, 40, plausible),
                Sensitivity("catch_below", 2, 40, plausible),
                Sensitivity("none", 0, 0, plausible),
            ],
        ),
        OutcomeFindings(RATING, "secondary", True, scale),
        OutcomeFindings(LABEL, "exploratory", False, chosen, picked),
        OutcomeFindings(
            PREFERRED,
            "exploratory",
            False,
            [replace(c, estimate=None, by_ratings=None, counts={"gradient": 40, TIE: 8})
             for c in cells(PREFERRED, SHARES, arms)],
            strengths=[
                Strengths(
                    "preferred", arms[0],
                    [Strength("gradient", 0.6, 0.2, 1.0, 40, 60),
                     Strength("edges", -0.6, -1.0, -0.2, 20, 60)],
                    {("gradient", "edges"): 40, ("edges", "gradient"): 20},
                    0.12, (0.1, -0.1, 0.3), 12,
                )
            ],
        ),
        OutcomeFindings(WORDS, "exploratory", False,
                        [replace(c, estimate=None, by_ratings=None)
                         for c in cells(WORDS, SHARES, arms)]),
    ]  # fmt: skip


def some_findings(
    *,
    stage: str = "main",
    arms: Mapping[str, str] | None = None,
    images: Sequence[str] = (),
    registered: bool = True,
) -> Findings:
    """Findings of a study of these arms (by label: title)."""
    arms = arms or {"all": "All"}
    plan = AnalysisPlan(
        primary=("said_plausible",),
        secondary=("rating",),
        contrasts=(PlannedContrast(of="gradient_penalty", to=("none",)),),
        smallest_effect=0.12,
        participants=40,
    )
    outcomes = every_outcome(list(arms), images)
    made = [
        contrast("gradient_penalty", ("none",), registered=True),
        contrast("gradient_penalty", ("none", "adversarial_training"), registered=True),
    ]
    branch = Branch("all", None, 14, [1, 0, 0, 1], 0, 12, {"catch_below": 2}, 11, 10)
    branches = [replace(branch, arm=arm) for arm in arms]
    return Findings(
        study="demo",
        title="What do you see?",
        stage=stage,
        versions=[1],
        with_excluded=False,
        conditions={**CONDITIONS, "distillation": "Distillation", "noise": "Random noise"},
        arms=arms,
        outcomes=outcomes if registered else [replace(o, role="exploratory") for o in outcomes],
        contrasts=[
            *(made if registered else []),
            contrast("clean", ("none",), registered=False, value=-0.25, low=-0.4, high=-0.1),
        ],
        consistency=[
            Consistency("people", "people", "clean", 0.9, 0.8, 0.5, 0.3, 0.7, (0.9, 0.9), 300),
            Consistency("people", "a5a962a4846fa146", "clean", None, None, None, -inf, inf,
                        (0.9, 1.0), 40, "At a ceiling there is no kappa."),
        ],
        times=[
            CellTime("target_plausible", label, arm, mean(1200.0 + 90 * n, 120.0),
                     (800.0, 1150.0, 1900.0), 96)
            for arm in arms for n, label in enumerate(CONDITIONS)
        ],
        courses=[
            Course("target_plausible", (1500.0, 1300.0, 1200.0, 1100.0, 1050.0), mean(-22.0, 9.0))
        ],
        attention=[Attention("label_nafc", mean(0.93, 0.04))],
        exclusions=[Excluded("catch_below", 2, 104), Excluded("too_fast", 0, 0)],
        basis=Basis("main", 17, 900, 40, 90, 770, 104, 3, {"target_plausible": 663}),
        flow=Flow(17, 1, 1, 0, 2, branches, [replace(b, list_index=n) for b in branches
                                             for n in range(2)]),
        registration=Registration(plan if registered else None, 1, "c0ffee" * 10, WHEN, WHEN, []),
        said=["Counted together: versions 1 and 2, which mean the same."],
    )  # fmt: skip
