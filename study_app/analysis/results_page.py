"""The page of a study's results: one HTML file that needs nothing beside it, and no network."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from markupsafe import Markup
from sqlalchemy.orm import Session

from db import repository
from engine.artifacts import ArtifactStore
from engine.errors import PlausiblyError
from engine.results import Results
from study_app import templates
from study_app.analysis import figures, further_figures, image_panels, tables
from study_app.analysis.figures import Figure
from study_app.analysis.findings import Findings, OutcomeFindings, leading
from study_app.analysis.methods import methods
from study_app.analysis.stages import StageView
from study_app.study import study_of

_log = logging.getLogger(__name__)
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Part:
    """An outcome on the page."""

    found: OutcomeFindings
    figures: Sequence[Figure]

    @property
    def slug(self) -> str:
        """Its address in the page."""
        return f"outcome-{self.found.outcome.name}"


def page(
    found: Findings,
    view: StageView,
    s: Session,
    *,
    store: ArtifactStore | None = None,
    now: datetime | None = None,
) -> str:
    """Return the page of `found`.

    Args:
        found: all findings of `view`.
        view: the stage.
        s: the session that it was read in.
        store: artifacts of this machine, to look up models in doubt.
        now: when the page is made; by default now.
    """
    study = study_of(view.version)
    stimuli = repository.stimuli_of(s, view.version.id)
    passports = {each.stimulus_id: each.passport for each in stimuli}
    class_names = list(view.version.design["class_names"])
    told = leading(found)
    panels, left_out = (
        image_panels.panels(s, found, view, told[0], passports, class_names) if told else ([], 0)
    )
    return templates.render(
        "analysis/results.html",
        found=found,
        view=view,
        style=_style(),
        simulated=found.stage == "simulated",
        live=view.version.status == "live",
        parts=parts(found, image_panels.truths(passports), class_names),
        shared=[f for f in (*further_figures.timed(found), further_figures.consistent(found)) if f],
        told=told[0] if told else None,
        panels=panels,
        left_out=left_out,
        methods=methods(found, view, study, passports, doubts(view, store)),
        facts=_facts(found, view, now or datetime.now(UTC)),
        citation=_citation(found, view, now or datetime.now(UTC)),
        names=figures.Names(found),
        catch=tables.catch_line(found.attention),
        excluded=tables.exclusions_line(found.exclusions, with_excluded=found.with_excluded),
    )


def parts(found: Findings, truth: Mapping[str, int], class_names: Sequence[str]) -> list[Part]:
    """Return the figures of every outcome.

    Args:
        found: all findings.
        truth: the true class of each source image.
        class_names: in the dataset's order.
    """
    names_of = {str(index): name for index, name in enumerate(class_names)}
    return [Part(each, _figures(found, each, truth, names_of)) for each in found.outcomes]


def _figures(
    found: Findings,
    each: OutcomeFindings,
    truth: Mapping[str, int],
    names_of: Mapping[str, str],
) -> list[Figure]:
    of = [c for c in found.contrasts if c.spec.outcome.name == each.outcome.name]
    title = f"Differences: {each.outcome.title}"
    made = [
        figures.estimated(found, each),
        figures.contrasted(
            found, each.outcome, [c for c in of if c.spec.registered], title, "registered"
        ),
        figures.contrasted(
            found, each.outcome, [c for c in of if not c.spec.registered], title, "exploratory"
        ),
        *further_figures.distributed(found, each, names_of),
        further_figures.confused(found, each, truth, names_of),
        *further_figures.detected(found, each),
        *further_figures.preferred(found, each),
        further_figures.useful(found, each),
        further_figures.agreed(found, each),
        further_figures.sensitive(found, each),
    ]
    return [figure for figure in made if figure is not None]


def doubts(view: StageView, store: ArtifactStore | None) -> dict[str, list[str]] | None:
    """Return the reasons to doubt each model of the study's experiment; None: it is not here."""
    run = view.version.design["experiment"]
    if store is None:
        return None
    try:
        for index in store.all("experiment"):
            if index.key == run:
                held = Results(store, index)
                return {model: list(held.doubts(model)["reasons"]) for model in held.whole_models}
    except PlausiblyError as error:  # what people said is told all the same
        _log.warning("%s", error)
    return None


def _style() -> Markup:
    """The look of the engine's reports, whose file is found without importing what makes them."""
    spec = find_spec("engine.report")
    assert spec is not None
    assert spec.origin is not None
    shared = Path(spec.origin).with_name("page.css").read_text(encoding="utf-8")
    # Nothing that a file or a person gave is in these two.
    own = (_HERE / "results.css").read_text(encoding="utf-8")
    return Markup(f"{shared}\n{own}")  # noqa: S704


def _facts(found: Findings, view: StageView, now: datetime) -> list[tuple[str, str]]:
    version = view.version
    declared = found.registration
    facts = [
        ("Study", f"{found.study}, stage {found.stage}, {view.numbers()}"),
        ("Content", f"SHA-256 {version.content_sha256}"),
        ("Published", f"{version.created_at:%Y-%m-%d %H:%M} UTC"),
        ("Registered content", f"SHA-256 {declared.content_sha256}"),
        ("Experiment", f"{version.config.get('experiment')}, run {version.design['experiment']}"),
        ("Made", f"{now:%Y-%m-%d %H:%M} UTC by {_program()}"),
    ]
    if declared.first_answer is not None:
        facts.insert(3, ("First answer", f"{declared.first_answer:%Y-%m-%d %H:%M:%S} UTC"))
    return facts


def _program() -> str:
    try:
        return f"Plausibly {metadata.version('plausibly')}"
    except metadata.PackageNotFoundError:
        return "Plausibly, of unknown version"


def _citation(found: Findings, view: StageView, now: datetime) -> str:
    return (
        f"{found.title} [human study “{found.study}”, version {view.version.version}, "
        f"{found.stage} data]. Content SHA-256 {view.version.content_sha256}. "
        f"Analysed {now:%Y-%m-%d} with {_program()}."
    )
