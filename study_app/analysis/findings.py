"""All that is concluded from a study's ratings: what the command line, the page and exports show.

Absent computation is never shown as absent data: what was not computed says why in `said`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.analysis.agreement import Agreement, Consistency
from engine.analysis.basis import Basis
from engine.analysis.contrasts import Contrast
from engine.analysis.detection import Detection
from engine.analysis.estimates import CellEstimate, Item, Sensitivity
from engine.analysis.outcomes import Outcome
from engine.analysis.preferences import Strengths
from engine.analysis.times import CellTime, Course
from engine.analysis.usefulness import Usefulness
from study_app.analysis.flow import Flow
from study_app.analysis.registration import Registration


@dataclass(frozen=True)
class OutcomeFindings:
    """What is found of one outcome.

    Attributes:
        outcome: which.
        role: "primary", "secondary" or "exploratory".
        estimates: by condition and arm.
        images, people: the same by source image, by person.
        detections, strengths, usefulness, agreement: where they are defined for its kind.
        sensitivity: with and without each exclusion rule; of primary and secondary outcomes.
    """

    outcome: Outcome
    role: str
    estimates: Sequence[CellEstimate]
    images: Sequence[Item] = ()
    people: Sequence[Item] = ()
    detections: Sequence[Detection] = ()
    strengths: Sequence[Strengths] = ()
    usefulness: Sequence[Usefulness] = ()
    agreement: Sequence[Agreement] = ()
    sensitivity: Sequence[Sensitivity] = ()


@dataclass(frozen=True)
class Findings:
    """A study's analysis.

    Attributes:
        study, title, stage: of what.
        versions: numbers of the versions that are counted.
        with_excluded: whether excluded answers count.
        conditions, arms: titles by label, in the study's order.
        outcomes: primary ones first, then secondary, then all others with an answer.
        contrasts: registered ones first.
        consistency: of people with models and with each other.
        times, courses: reaction times.
        basis, flow, registration: what it rests on.
        said: what must be said beside the numbers.
    """

    study: str
    title: str
    stage: str
    versions: Sequence[int]
    with_excluded: bool
    conditions: Mapping[str, str]
    arms: Mapping[str, str]
    outcomes: Sequence[OutcomeFindings]
    contrasts: Sequence[Contrast]
    consistency: Sequence[Consistency]
    times: Sequence[CellTime]
    courses: Sequence[Course]
    basis: Basis
    flow: Flow
    registration: Registration
    said: Sequence[str]
