"""The command line's part for studies: `plausibly study …`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.errors import PlausiblyError, UsageError
from study_app.cli import invitations as invitations_cli
from study_app.cli import planning, simulating_people
from study_app.cli.database import opened, require_study, upgraded
from study_app.cli.options import AsJson, print_json, say
from study_app.installation import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from db.repository import StudyVersionInfo
    from engine.results import Results
    from study_app.design.study_design import Design
    from study_app.study import Study

app = typer.Typer(
    help="Write, check, look at, simulate, publish, watch and close studies.", no_args_is_help=True
)
File = Annotated[str, typer.Argument(help="A YAML file or a built-in name.")]
Published = Annotated[str, typer.Argument(help="Name of the study.")]


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the new study: a-z, 0-9 and hyphens.")],
    template: Annotated[str, typer.Option("--from", help="Built-in study to start from.")] = "demo",
    out: Annotated[
        Path | None, typer.Option(help="File to write; default: NAME.yaml in this folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a study file to start from: a built-in one under a name of its own."""
    from study_app import study as studies

    studies.load(template)  # refuses an unknown one, with those there are
    source = studies.BUILT_IN / f"{template}.yaml"
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,39}", name):
        raise UsageError(f"name {name!r}: a study's name is a-z, 0-9 and hyphens, at most 40")
    if not source.is_file():
        raise UsageError(f"--from {template}: give the name of a built-in study")
    path = out or Path(f"{name}.yaml")
    if path.suffix != ".yaml":
        raise UsageError(f"--out {path}: a study file ends in .yaml")
    text = re.sub(r"^name: .*$", f"name: {name}", source.read_text("utf-8"), count=1, flags=re.M)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already; give another --out") from None
    except OSError as error:
        raise PlausiblyError(f"cannot write {path}: {error.strerror}") from None
    if as_json:
        print_json({"study": name, "from": template, "file": str(path)})
    else:
        say(f"{path} is a copy of the study {template}. Edit it, then: plausibly study lint {path}")


@app.command()
def lint(study: File, as_json: AsJson = False) -> None:
    """Say what is wrong with a study's design, and how to mend it; what its attention rules do.

    Exit code 2: errors. 3: none were found, but the study's experiment has not been run here, so
    that all that depends on it was not checked.
    """
    from study_app import study as studies
    from study_app.design import attention
    from study_app.lint.looking import look

    try:
        loaded = studies.load(study)
    except UsageError as error:
        if not as_json:
            raise
        refused = {"rule": "file", "severity": "error", "place": study, "message": str(error)}
        print_json({"problems": [refused], "errors": 1, "attention": [], "not_checked": "the file"})
        raise typer.Exit(2) from None
    seen = look(loaded, Settings().store, Settings().home)
    errors, warned, hints, unchecked = map(seen.count, ("error", "warn", "hint", "note"))
    if as_json:
        print_json(
            {
                "problems": [asdict(p) for p in seen.problems],
                "errors": errors,
                "attention": [asdict(each) for each in seen.attention or ()],
                "not_checked": seen.unseen or None,
            }
        )
    else:
        for problem in seen.problems:
            say(str(problem))
        for line in attention.lines(seen.attention or ()):
            say(f"attention: {line}.")
        counts = [
            f"{errors} error{'s' * (errors != 1)}",
            f"{warned} warning{'s' * (warned != 1)}",
            *([f"{hints} hint{'s' * (hints != 1)}"] if hints else []),
            *([f"{unchecked} not checked"] if unchecked else []),
        ]
        say(f"{', '.join(counts)}.")
        if seen.unseen:
            say(f"Not checked: {seen.unseen}.")
    if errors:
        raise typer.Exit(2)
    if seen.unseen:
        raise typer.Exit(3)


@app.command()
def preview(
    study: File,
    arm: Annotated[str | None, typer.Option(help="Arm; default: the first.")] = None,
    list_index: Annotated[
        int, typer.Option("--list", min=0, help="Counterbalancing list, from 0.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="The participant's seed.")] = 0,
    language: Annotated[
        str | None, typer.Option(help="Language of the words; default: the study's own.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Also write all that they would see, as a .html or .png file."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw the plan of one participant and print it; nothing is published."""
    from study_app import study as studies
    from study_app.cli.terminal import print_table
    from study_app.design import preview as previews

    if out is not None and out.suffix not in previews.SUFFIXES:
        raise UsageError(f"--out {out}: give a .html or .png file")
    loaded = studies.load(study)
    seen = previews.draw(
        loaded, _experiment(loaded), arm=arm, list_index=list_index, seed=seed, language=language
    )
    if as_json:
        print_json(seen.to_json())
    else:
        print_table(seen.table())
    if out is not None:
        try:
            seen.write(out)
        except OSError as error:
            raise PlausiblyError(f"cannot write {out}: {error.strerror}") from None


@app.command()
def launch(
    study: File,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Make a new version also where people have taken part already."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Publish a study file and open it to participants; again with changes: a new version.

    It is linted first: errors keep it from being published, warnings are printed. Where people have
    taken part already, what differs is printed too, and a new version is made with --yes only.
    """
    from db.models.studies import SIMULATED
    from study_app import study as studies
    from study_app.cli import relaunch
    from study_app.cli.progress import console
    from study_app.lint.looking import look
    from study_app.participation import doors

    loaded = studies.load(study)
    if loaded.stage == SIMULATED:
        raise UsageError(
            f"study {loaded.name!r}: stage: simulated is for simulated people and opens to nobody; "
            "write pilot or main to launch it, or try it with plausibly study simulate"
        )
    _experiment(loaded)
    seen = look(loaded, Settings().store, Settings().home)
    errors = [problem for problem in seen.problems if problem.severity == "error"]
    if errors:
        said = "\n".join(f"  {problem}" for problem in errors)
        raise UsageError(f"study {loaded.name!r} is not launched:\n{said}")
    for problem in seen.problems:
        console.print(str(problem), style="yellow", highlight=False, markup=False, soft_wrap=True)
    settings = Settings()
    upgraded(settings)
    changed = relaunch.changes(loaded, settings, seen.drawn)
    if changed and not yes:
        raise UsageError("\n".join([*changed, "To make a new version of it: add --yes"]))
    for line in changed:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    version = published(loaded, settings, seen.drawn, reopen=True)
    if as_json:
        query = loaded.provider.link_query
        addresses = {
            "streamlit": doors.streamlit_door(version.name, query),
            "light": doors.light_door(version.name, query),
        }
        facts = {"study": version.name, "status": version.status, "version": version.version}
        print_json({**facts, "addresses": addresses})
        return
    say(f"Study {version.name} is {version.status} (version {version.version}).")
    for line in doors.told(settings.public_url() or "SERVER", version.name, loaded.provider):
        say(line)


app.command()(invitations_cli.invite)
app.command()(simulating_people.simulate)
app.command()(planning.power)


@app.command()
def status(study: Published, as_json: AsJson = False) -> None:
    """Print how many people started, were admitted, are under way, finished and withdrew.

    For each stage, how many people each list of its newest version still lacks; simulated people
    are counted by themselves, and no list lacks any. And what the newest version shows: by
    condition how large the disturbance is, and how sure the model; and what its attention rules do.
    """
    from db import repository
    from db.models.studies import SIMULATED
    from study_app.analysis.findings import condition_titles
    from study_app.analysis.stages import shown_by
    from study_app.design import attention, sizes
    from study_app.participation import filled, under_way
    from study_app.study import study_of

    with opened() as database, database.read() as s:
        version = require_study(s, study)
        current = version.status
        now = datetime.now(UTC)
        held = repository.embargo(s, version.study_id, now=now)
        counts = [asdict(row) for row in repository.counts(s, study)]
        newest = {
            row["stage"]: row["study_version_id"] for row in counts if row["stage"] != SIMULATED
        }
        lists = [
            (own, filled.filled_lists(s, own, now=now))
            for own in (repository.study_version(s, each) for each in newest.values())
        ]
        invitations = repository.invitation_counts(s, study)
        pictures = shown_by(s, version)
    declared = study_of(version)
    rules = attention.figures(declared, len(version.design["class_names"])) or []
    if as_json:
        print_json(
            {
                "study": study,
                "status": current,
                "versions": counts,
                "lists": [each for own, found in lists for each in filled.facts(own, found)],
                **under_way.facts(held),
                "invitations": asdict(invitations),
                "shown": [asdict(each) for each in pictures],
                "attention": [asdict(each) for each in rules],
            }
        )
        return
    say(f"Study {study} is {current}.")
    for line in _how_far(counts, {own.stage: filled.lines(own, found) for own, found in lists}):
        say(f"  {line}")
    say(f"  {under_way.people_sentence(held)}")
    if current == "closed":
        say(f"  {under_way.closed_sentences(held)}")
    if invitations.made:
        say(f"  invitations: {invitations.made} made, {invitations.used} used")
    say(f"  shown by version {version.version}, medians with quartiles:")
    for line in sizes.lines(pictures, condition_titles(declared)):
        say(f"    {line}")
    for line in attention.lines(rules):
        say(f"  attention rules of version {version.version}: {line}")


def _how_far(
    counts: Sequence[dict[str, Any]], missing: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield for each stage how many came, and who is missing; simulated people last."""
    for stage, lines in missing.items():
        yield from (_came(row) for row in counts if row["stage"] == stage)
        yield from lines
    yield from (_came(row, "simulated people") for row in counts if row["stage"] not in missing)


def _came(row: dict[str, Any], who: str | None = None) -> str:
    return (
        f"version {row['version']} ({who or row['stage']}): {row['started']} started, "
        f"{row['admitted']} admitted, {row['completed']} completed, {row['withdrawn']} withdrew"
    )


@app.command()
def close(study: Published, as_json: AsJson = False) -> None:
    """Take nobody new; those admitted can finish, unless they are silent for an hour."""
    from db import repository
    from db.repository import Embargo
    from study_app.participation import under_way

    now = datetime.now(UTC)

    def shut(s: Session) -> Embargo:
        version = repository.set_study_status(s, name=study, status="closed")
        repository.audit(s, actor="command line", action="close", detail={"study": study}, now=now)
        return repository.embargo(s, version.study_id, now=now)

    with opened() as database:
        with database.read() as s:
            require_study(s, study)
        held = database.write(shut)
    if as_json:
        print_json({"study": study, "status": "closed", **under_way.facts(held)})
    else:
        say(f"Study {study} is closed. {under_way.closed_sentences(held)}")


def published(
    study: Study, settings: Settings, drawn: Design | None = None, *, reopen: bool = False
) -> StudyVersionInfo:
    """Publish a study, with its design if that is drawn already, and put it into the audit log."""
    from db import repository
    from study_app.design import publish

    database = settings.database()
    now = datetime.now(UTC)
    try:
        version = publish.publish(study, settings.store, database, drawn)
        if reopen and version.status != "live":
            version = database.write(
                lambda s: repository.set_study_status(s, name=study.name, status="live")
            )
        database.write(
            lambda s: repository.audit(
                s,
                actor="command line",
                action="publish",
                detail={"study": version.name, "version": version.version},
                now=now,
            )
        )
    finally:
        database.close()
    return version


def _experiment(study: Study) -> Results:
    """Return the study's experiment; refuse it with the way to make it."""
    from engine import results

    try:
        return results.find(Settings().store, study.experiment)
    except UsageError as error:
        raise UsageError(f"{error}; run its file with: plausibly run") from None
