"""The command line's part for planning a study: `plausibly study power`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from engine.errors import PlausiblyError, UsageError
from study_app.cli.options import AsJson, print_json, say
from study_app.installation import Settings
from study_app.power.quick import BASE

if TYPE_CHECKING:
    from engine.results import Results
    from study_app.power import Answer, Compared, Components, Setting
    from study_app.study import Study


PEOPLE = (20, 40, 80, 160)
People = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,…",
        help="Numbers of people who take part to the end. Default: 20, 40, 80, 160, and the "
        "participants of the file's analysis.",
    ),
]
Images = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,…",
        help="Numbers of source images, rounded to whole sets (image_sets). Default: as many as "
        "the file declares, half, twice and four times as many.",
    ),
]
Effect = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help="The true difference of shares, .12 say. Default: the file's "
        "smallest_effect.",
    ),
]  # fmt: skip
Base = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SHARE|LABEL=SHARE",
        help=f"The share of yes without the effect, of all or of one condition. Default: {BASE}, "
        "or what the pilot says.",
    ),
]
Pilot = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Take the components from the ratings of this study."),
]
PilotStage = Annotated[
    str | None, typer.Option(metavar="STAGE", help="The pilot's stage; default: as for analyze.")
]
FromFile = Annotated[
    Path | None,
    typer.Option(help="YAML file: person, image, person_condition, image_condition."),
]
Deviation = Annotated[
    str | None,
    typer.Option(
        metavar="SD", help="Standard deviation in log-odds, or a range: 0.8-1.2. Default: assumed."
    ),
]
Of = Annotated[
    str | None,
    typer.Option(metavar="LABEL", help="Compare this condition, not what the file declares."),
]
To = Annotated[
    list[str] | None,
    typer.Option(metavar="LABEL", help="With this one; several with --claim above_every."),
]
Claims = Literal["different", "above", "below", "above_every", "equivalent"]
Claim = Annotated[
    Claims,
    typer.Option(help="With --of and --to: what is to be shown."),
]
ThisOutcome = Annotated[
    str | None,
    typer.Option(
        "--outcome",
        metavar="NAME",
        help="With --of and --to: the outcome. Default: the file's first primary one.",
    ),
]
Excluded = Annotated[
    float | None,
    typer.Option(
        min=0, max=0.9, help="Share of people whom exclusion rules exclude. Default: what the "
        "attention rules lose of honest people.",
    ),
]  # fmt: skip
Left = Annotated[float, typer.Option(min=0, max=0.9, help="Share of people who leave on the way.")]
Runs = Annotated[int, typer.Option(min=20, help="How many studies are simulated of each kind.")]
Seed = Annotated[int, typer.Option(min=0, help="Of all that is drawn.")]
Out = Annotated[Path | None, typer.Option(help="Also draw it, as a .html or .svg file.")]


def power(
    study: Annotated[str, typer.Argument(help="A YAML file or a built-in name.")],
    people: People = None,
    images: Images = None,
    effect: Effect = None,
    base: Base = None,
    pilot: Pilot = None,
    pilot_stage: PilotStage = None,
    components: FromFile = None,
    person: Deviation = None,
    image: Deviation = None,
    person_condition: Deviation = None,
    image_condition: Deviation = None,
    of: Of = None,
    to: To = None,
    claim: Claim = "different",
    outcome: ThisOutcome = None,
    excluded: Excluded = None,
    left: Left = 0.0,
    runs: Runs = 400,
    seed: Seed = 0,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Say how many people and images a study needs, by simulating its own plan.

    Lists, arms and presentations are those of the file; people and images are drawn anew in each
    simulated study, and the declared test decides. Nothing has to be trained. What is found of the
    declared contrasts is kept for the linter.
    """
    from study_app import power as planning
    from study_app import study as studies
    from study_app.power import chart, kept

    if out is not None and out.suffix not in chart.SUFFIXES:
        raise UsageError(f"--out {out}: give a .html or .svg file")
    loaded = studies.load(study)
    asked = _with_contrasts(loaded, (of, to or [], claim, outcome), effect)
    every, left_out = planning.planned(asked, effect)
    if not every:
        said = ". ".join(["nothing to compare", *left_out])
        raise UsageError(f"study {loaded.name!r}: {said}; give --of and --to")
    names = ("person", "image", "person_condition", "image_condition")
    given = dict(zip(names, (person, image, person_condition, image_condition), strict=True))
    found, shares = _components(
        every, (pilot, pilot_stage), components, given, _shares(base, loaded), seed
    )
    results = _results(loaded)
    classes = len(results.class_names) if results else None
    losses = planning.expected_losses(asked, classes, excluded=excluded, left=left)
    setting = planning.Setting(asked, every, found, shares, losses, runs, seed, results)
    many = _numbers(people, "--people") or _usual(loaded)
    answer = planning.ask(setting, many, _numbers(images, "--images") or _around(setting), left_out)
    if asked is loaded:
        kept.keep(answer, Settings().home)
    _print(answer, as_json=as_json)
    if out is not None:
        _draw(answer, out)


def _draw(answer: Answer, out: Path) -> None:
    from study_app.power import chart

    try:
        chart.write(answer, out)
    except OSError as error:
        raise PlausiblyError(f"cannot write {out}: {error.strerror}") from None


def _with_contrasts(
    study: Study,
    wanted: tuple[str | None, Sequence[str], Claims, str | None],
    effect: float | None,
) -> Study:
    """Return the study, with the comparison that was asked for where one was."""
    from study_app.power import plan_of

    of, to, claim, outcome = wanted
    if of is None and not to:
        if study.analysis is None or not study.analysis.contrasts:
            raise UsageError(
                f"study {study.name!r} declares no contrast: add an analysis to the file, or give "
                "--of LABEL --to LABEL --effect .12"
            )
        return study
    if of is None or not to or effect is None:
        raise UsageError("--of, --to and --effect belong together")
    if len(to) > 1 and claim not in ("above_every", "equivalent"):
        raise UsageError(f"several --to need --claim above_every, not {claim}")
    plan = plan_of(study, of, to, claim, effect, outcome)
    return study.model_copy(update={"analysis": plan})


def _components(
    every: Sequence[Compared],
    pilot: tuple[str | None, str | None],
    file: Path | None,
    given: dict[str, str | None],
    shares: dict[str, float] | None,
    seed: int,
) -> tuple[Components, dict[str, float]]:
    """Return how people and images differ, and the shares without the effect."""
    from study_app import power as planning

    name, stage = pilot
    sources = [name is not None, file is not None, any(given.values())]
    if sum(sources) > 1:
        raise UsageError("give one of --pilot, --components, and --person, --image and the like")
    if name is None:
        found = planning.from_file(file) if file else planning.declared(given)
        return found, shares or {"": BASE}
    from study_app.analysis.stages import stage_view
    from study_app.cli.database import opened, require_study
    from study_app.power.pilot import of_pilot

    with opened() as database, database.read() as s:
        ratings = stage_view(s, require_study(s, name), stage).ratings
    found, said = of_pilot(ratings, every[0], name, seed)
    return found, shares or said


def _shares(given: Sequence[str] | None, study: Study) -> dict[str, float] | None:
    """Return the shares that were given by condition, that of the others under ""."""
    if not given:
        return None
    shares = {"": BASE}
    for text in given:
        label, _, number = text.rpartition("=")
        try:
            share = float(number)
        except ValueError:
            share = -1.0
        if not 0 < share < 1 or (label and label not in study.conditions):
            raise UsageError(
                f"--base {text}: give a share between 0 and 1, or LABEL=SHARE with one of "
                f"{', '.join(study.conditions)}"
            )
        shares[label] = share
    return shares


def _numbers(text: str | None, option: str) -> list[int]:
    if text is None:
        return []
    found = [part for part in re.split(r"[,\s]+", text) if part]
    if not found or not all(part.isdecimal() and 2 <= int(part) <= 10_000 for part in found):
        raise UsageError(f"{option} {text}: give numbers from 2 to 10000, 20,40,80 say")
    return [int(part) for part in found]


def _usual(study: Study) -> list[int]:
    declared = study.analysis.participants if study.analysis else None
    return [*PEOPLE, *([declared] if declared else [])]


def _around(setting: Setting) -> list[int]:
    own = setting.own_images
    return [own // 2, own, 2 * own, 4 * own]


def _results(study: Study) -> Results | None:
    """Return the study's experiment, where it has been run here."""
    from engine import results

    return results.everything(Settings().store).get(study.experiment)


def _print(answer: Answer, *, as_json: bool) -> None:
    from study_app.cli.terminal import print_table
    from study_app.power import table

    if as_json:
        print_json(answer.to_json())
        return
    for each in table.tables(answer):
        print_table(each)
    for sentence in answer.sentences():
        say(sentence)
