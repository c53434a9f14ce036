"""The command line: `plausibly`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from db.errors import DatabaseError, ExportError, StudyNotFoundError
from engine.devices import Device
from engine.errors import PlausiblyError, UsageError
from study_app import datasets_cli
from study_app.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from db.repository import StudyVersionInfo
    from db.session import Database
    from engine.artifacts import ArtifactStore
    from engine.executor import Executor
    from engine.results import Results

app = typer.Typer(
    name="plausibly",
    help="Human studies of adversarial robustness and interpretability.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
database_app = typer.Typer(help="Look after the study database.", no_args_is_help=True)
study_app = typer.Typer(help="Publish, watch and close studies.", no_args_is_help=True)
app.add_typer(database_app, name="db")
app.add_typer(study_app, name="study")
app.add_typer(datasets_cli.app, name="datasets")

Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of the app.")]
Host = Annotated[
    str,
    typer.Option(help="Address to listen on; 0.0.0.0 lets other devices in, phones for example."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
RunBy = Annotated[
    Literal["local", "ray"],
    typer.Option(help="Processes on this machine, or jobs on the Ray cluster at RAY_ADDRESS."),
]
OnDevice = Annotated[
    Device, typer.Option(help="What to compute on; auto takes the GPUs where there are any.")
]


@app.command()
def demo(
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Do everything but serve.")] = False,
    port: Port = 8501,
    host: Host = "127.0.0.1",
) -> None:
    """Train, attack, explain, publish a study, serve it: the main job on the built-in data."""
    if not no_serve:
        from study_app.server import require_port

        require_port(host, port)
    settings = Settings()
    _upgrade(settings)
    # In a process of its own: the server that follows must not carry torch.
    command = [sys.executable, "-m", "study_app.cli", "run", "demo"]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise typer.Exit(done.returncode)
    version = _publish("demo", settings)
    _say(f"Study demo is {version.status} (version {version.version}).")
    if not no_serve:
        serve(port=port, host=host)


@app.command()
def run(
    experiment: Annotated[str, typer.Argument(help="A YAML file or a built-in name.")],
    seeds: Annotated[
        int | None, typer.Option(min=1, help="How many seeds, from the file's on.")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            help="Make only this stage and what it needs: train, select, attack, explain, "
            "measure or evaluate."
        ),
    ] = None,
    executor: RunBy = "local",
    device: OnDevice = "auto",
    as_json: AsJson = False,
) -> None:
    """Train, choose, attack, explain and measure what an experiment file declares."""
    from engine import documents, linear_theory

    document, _ = documents.read(experiment, "experiment", linear_theory.BUILT_IN)
    if document.get("kind") == linear_theory.KIND:
        for option, given in {"--seeds": seeds, "--only": only}.items():
            if given is not None:
                raise UsageError(f"{option} is for experiments that train networks")
        _run_linear_theory(experiment, as_json=as_json)
        return
    runs = _run_experiment(experiment, executor, device, seeds=seeds or 1, only=only)
    if as_json:
        found = [
            {
                "experiment": results.index.key,
                "name": results.name,
                "seed": results.config["seed"],
                **results.evaluation(),
            }
            for results in runs
        ]
        _print_json({"runs": found})
    else:
        from study_app.console import print_table, run_tables

        for table in run_tables(runs):
            print_table(table)


@app.command()
def replicate(
    paper: Annotated[Literal["ross2018", "nar2019"], typer.Argument(help="ross2018 or nar2019.")],
    builtin: Annotated[
        bool, typer.Option("--builtin", help="On stand-in data that need no download.")
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds the intervals rest on.")] = 3,
    executor: RunBy = "local",
    device: OnDevice = "auto",
    out: Annotated[
        Path | None, typer.Option(help="Markdown file to write, with the numbers behind it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a paper's experiment and say of each of its claims: holds, fails or undecided."""
    from dataclasses import asdict

    from engine import replication
    from study_app.console import checks_table, print_table

    papers = replication.papers()
    experiment = f"{paper}-builtin" if builtin else paper
    runs = _run_experiment(experiment, executor, device, seeds=seeds, only=None)
    checks = papers[paper].checks(runs)
    if out is not None:
        out.write_text(
            f"{replication.markdown(checks)}\n\n{papers[paper].tables(runs)}\n", encoding="utf-8"
        )
    if as_json:
        _print_json({"checks": [{**asdict(each), "verdict": each.verdict} for each in checks]})
    else:
        print_table(checks_table(paper, checks))


def _run_experiment(
    experiment: str,
    executor: Literal["local", "ray"],
    device: Device,
    *,
    seeds: int,
    only: str | None,
) -> list[Results]:
    """Make what an experiment file declares, showing how it goes; return its finished runs."""
    from engine import config, pipeline
    from engine.results import Results
    from study_app.console import ProgressObserver, chosen_lines, console

    loaded = config.load(experiment)
    store = Settings().store
    console.print(f"Experiment {loaded.name}: {loaded.title}", highlight=False)
    try:
        with ProgressObserver() as observer:
            made = pipeline.run(
                loaded,
                store,
                observer,
                _executor(executor, store, device),
                seeds=seeds,
                only=only,
            )
    except KeyboardInterrupt:
        console.print("Stopped. What was finished is kept; run again to go on.")
        raise typer.Exit(130) from None
    observer.summary()
    runs = [Results(store, index) for index in made]
    for line in [*_notes(runs), *chosen_lines(runs)]:
        console.print(line, highlight=False, soft_wrap=True)
    return runs


@app.command()
def schema() -> None:
    """Print the JSON schema of experiment files, for editors and checks."""
    from engine import schema as schemas

    _print_json(schemas.experiment())


def _notes(runs: list[Results]) -> list[str]:
    """Return what the datasets left out, once a dataset."""
    return list(
        dict.fromkeys(
            f"{results.config['dataset']['name']}: {note}"
            for results in runs
            for note in results.config["notes"]
        )
    )


def _executor(name: Literal["local", "ray"], store: ArtifactStore, device: Device) -> Executor:
    if name == "ray":
        from engine.ray_executor import RayExecutor

        return RayExecutor(store, device=device)
    from engine import devices
    from engine.executor import LocalExecutor

    return LocalExecutor(store, devices=devices.resolve(device))


def _run_linear_theory(experiment: str, *, as_json: bool) -> None:
    from engine import linear_theory
    from study_app.console import console, linear_theory_table, print_table

    loaded = linear_theory.load(experiment)
    made = linear_theory.stored(loaded, Settings().store)
    result = made.json(linear_theory.ROWS)
    if as_json:
        _print_json(result)
        return
    print_table(linear_theory_table(loaded.title, result["rows"]))
    console.print(f"Plot: {made.path / linear_theory.PLOT}", highlight=False, soft_wrap=True)


@app.command()
def serve(port: Port = 8501, host: Host = "127.0.0.1") -> None:
    """Serve the app: participants, researchers, gallery (upgrades the database after a backup)."""
    from db import repository
    from study_app import login
    from study_app.server import require_port
    from study_app.server import serve as serve_app

    require_port(host, port)
    settings = Settings()
    database = settings.database()
    try:
        backup = database.upgrade()
        database.check()
        given = settings.password.get_secret_value() if settings.password else None
        generated = login.ensure_password(database, given)
        with database.read() as s:
            studies = [repository.study(s, name) for name in repository.study_names(s)]
    finally:
        database.close()
    if backup is not None:
        _say(f"The database was upgraded; a copy from before is at {backup}.")
    where = f"http://{'localhost' if host in ('127.0.0.1', '0.0.0.0') else host}:{port}"  # noqa: S104
    for version in studies:
        if version is not None and version.status == "live":
            _say(f"Participants  {where}/take?study={version.name}")
    if generated is not None:
        how = f"password: {generated} (shown only this once; PLAUSIBLY_PASSWORD sets another)"
    elif given is not None:
        how = "password: as set by PLAUSIBLY_PASSWORD"
    else:
        how = "password: as shown at the first start; PLAUSIBLY_PASSWORD sets another"
    _say(f"Researchers   {where}/researcher   {how}")
    _say(f"Gallery       {where}/gallery")
    _say("Stop with Ctrl-C.")
    serve_app(host, port)


@app.command()
def export(
    study: Annotated[str, typer.Argument(help="Name of the study.")],
    out: Annotated[Path, typer.Option(help="Folder to make; it must not hold anything yet.")],
    file_format: Annotated[str, typer.Option("--format", help="csv.")] = "csv",
    stage: Annotated[str, typer.Option(help="pilot, main or simulated.")] = "main",
) -> None:
    """Write ratings, participants, stimuli, events and a codebook, with checksums."""
    from db import export as exporting
    from db.models.studies import STAGES

    if file_format != "csv":
        raise UsageError(f"unknown format {file_format!r}; known: csv")
    if stage not in STAGES:
        raise UsageError(f"unknown stage {stage!r}; known: {', '.join(STAGES)}")
    with _database() as database:
        with database.read() as s:
            _require_study(s, study)
        made = exporting.write_csv(database, study, out, datetime.now(UTC), stage=stage)
    _say(f"{made.rows} ratings of study {study} in {made.folder}")


@app.command()
def analyze(
    study: Annotated[str, typer.Argument(help="Name of the study.")], as_json: AsJson = False
) -> None:
    """Print the human table with intervals."""
    from dataclasses import asdict

    from db import export as exporting
    from engine.analysis import human
    from study_app.console import print_table
    from study_app.researcher.tables import human_table_rich

    with _database() as database, database.read() as s:
        version = _require_study(s, study)
        ratings = exporting.ratings(s, study, stage=version.stage)
    rows, catch = human.human_table(ratings), human.attention(ratings)
    if as_json:
        _print_json({"conditions": [asdict(row) for row in rows], "attention": asdict(catch)})
    else:
        titles = {c["label"]: c["title"] for c in version.config["conditions"]}
        print_table(human_table_rich(study, rows, catch, titles))


@app.command()
def verify(
    what: Annotated[
        str | None, typer.Argument(help="Kind of artifact, or the start of a key; default: all.")
    ] = None,
    regenerate: Annotated[
        bool, typer.Option(help="Also make them again from their recipes and compare.")
    ] = False,
    tolerance: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Share of an attack's 8-bit pixels that may differ when made again."
        ),
    ] = 0,
    device: OnDevice = "auto",
    as_json: AsJson = False,
) -> None:
    """Re-hash stored artifacts, or make them again; name all that is not as recorded.

    Made again on the same machine with the same versions they have the same bits. Without WHAT
    that takes as long as making everything did. Exit code 1: something differs by more than the
    tolerance.
    """
    store = Settings().store
    checked, problems = 0, []
    for path in sorted(store.root.glob("*/*")):
        if path.name.startswith(".") or not _chosen(path, what):
            continue
        checked += 1
        try:
            problems += store.get(path.parent.name, path.name).problems()
        except PlausiblyError as error:
            problems.append(str(error))
    if what is not None and not checked:
        raise UsageError(f"nothing in {store.root} is called {what!r}")
    if regenerate and not problems:
        _regenerate(what, store, tolerance, device, as_json=as_json)
        return
    if as_json:
        _print_json({"checked": checked, "problems": problems})
    elif not problems:
        _say(f"{checked} artifacts, all as recorded.")
    if problems:
        raise PlausiblyError("\n".join(problems))


def _regenerate(
    what: str | None, store: ArtifactStore, tolerance: float, device: Device, *, as_json: bool
) -> None:
    from collections import Counter
    from dataclasses import asdict

    from engine import regenerate
    from study_app.console import ProgressObserver, console

    chosen = [artifact for artifact in store.all() if _chosen(artifact.path, what)]
    seconds = sum(artifact.manifest["seconds"] for artifact in chosen)
    console.print(
        f"Making {len(chosen)} artifacts again, which took {seconds:.0f} s of computing.",
        highlight=False,
    )
    try:
        with ProgressObserver() as observer:
            executor = _executor("local", store, device)
            compared = regenerate.run(chosen, store, executor, observer, tolerance=tolerance)
    except KeyboardInterrupt:
        console.print("Stopped.")
        raise typer.Exit(130) from None
    wrong = [str(each) for each in compared if each.outcome in ("different", "failed")]
    if as_json:
        made = [asdict(each) for each in compared]
        _print_json({"checked": len(chosen), "problems": wrong, "regenerated": made})
    else:
        for each in compared:
            if each.outcome in ("tolerated", "skipped"):
                _say(str(each))
        counts = Counter("same bits" if c.outcome == "same" else c.outcome for c in compared)
        ended = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        _say(f"{len(chosen)} artifacts: {ended or 'nothing to make again'}.")
    if wrong:
        raise PlausiblyError("\n".join(wrong))


@study_app.command("launch")
def study_launch(
    study: Annotated[str, typer.Argument(help="A YAML file or a built-in name.")],
    as_json: AsJson = False,
) -> None:
    """Publish a study file and open it to participants; again with changes: a new version."""
    settings = Settings()
    _upgrade(settings)
    version = _publish(study, settings, reopen=True)
    if as_json:
        _print_json({"study": version.name, "status": version.status, "version": version.version})
    else:
        _say(f"Study {version.name} is {version.status} (version {version.version}).")


@study_app.command("status")
def study_status(
    study: Annotated[str, typer.Argument(help="Name of the study.")], as_json: AsJson = False
) -> None:
    """Print how many people started, were admitted, finished and withdrew."""
    from dataclasses import asdict

    from db import repository

    with _database() as database, database.read() as s:
        status = _require_study(s, study).status
        counts = [asdict(row) for row in repository.counts(s, study)]
    if as_json:
        _print_json({"study": study, "status": status, "versions": counts})
        return
    _say(f"Study {study} is {status}.")
    for row in counts:
        _say(
            f"  version {row['version']} ({row['stage']}): {row['started']} started, "
            f"{row['admitted']} admitted, {row['completed']} completed, "
            f"{row['withdrawn']} withdrew"
        )


@study_app.command("close")
def study_close(study: Annotated[str, typer.Argument(help="Name of the study.")]) -> None:
    """Take no new participants; those who started can finish."""
    from db import repository

    now = datetime.now(UTC)
    with _database() as database:
        with database.read() as s:
            _require_study(s, study)
        database.write(lambda s: repository.set_study_status(s, name=study, status="closed"))
        database.write(
            lambda s: repository.audit(
                s, actor="command line", action="close", detail={"study": study}, now=now
            )
        )
    _say(f"Study {study} is closed. Its source images may now appear in the gallery.")


@database_app.command("upgrade")
def database_upgrade() -> None:
    """Create the database, or bring it up to date after a backup."""
    settings = Settings()
    backup = _upgrade(settings)
    where = settings.database().where
    _say(f"{where} is up to date." + (f" Backup: {backup}" if backup else ""))


@database_app.command("backup")
def database_backup(
    target: Annotated[Path, typer.Argument(help="The file to write.")],
) -> None:
    """Copy the database, also while it is in use."""
    with _database() as database:
        made = database.backup(target)
    _say(f"Backup: {made}")


def main() -> None:
    """Run the command line: one clear sentence for every error that a person can act on."""
    try:
        app()
    except (UsageError, StudyNotFoundError) as error:
        _fail(error, 2)
    except PlausiblyError as error:
        _fail(error, error.exit_code)
    except (DatabaseError, ExportError) as error:
        _fail(error, 1)


def _fail(error: Exception, code: int) -> NoReturn:
    print(f"plausibly: {error}", file=sys.stderr)
    sys.exit(code)


def _say(sentence: str) -> None:
    print(sentence, flush=True)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, sort_keys=True))


def _publish(study: str, settings: Settings, *, reopen: bool = False) -> StudyVersionInfo:
    """Publish a study file and put it into the audit log."""
    from db import repository
    from study_app import publish
    from study_app import study as studies

    loaded = studies.load(study)
    database = settings.database()
    now = datetime.now(UTC)
    try:
        version = publish.publish(loaded, settings.store, database)
        if reopen and version.status != "live":
            version = database.write(
                lambda s: repository.set_study_status(s, name=loaded.name, status="live")
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


@contextmanager
def _database() -> Iterator[Database]:
    """Open the database that is there; commands that only look make none."""
    database = Settings().database()
    try:
        database.check()
        yield database
    finally:
        database.close()


def _upgrade(settings: Settings) -> Path | None:
    """Create the database or bring it up to date; return the backup that was made."""
    database = settings.database()
    try:
        return database.upgrade()
    finally:
        database.close()


def _require_study(session: Session, name: str) -> StudyVersionInfo:
    from db import repository

    version = repository.study(session, name)
    if version is None:
        known = ", ".join(repository.study_names(session)) or "none yet"
        raise UsageError(f"unknown study {name!r}; published: {known}")
    return version


def _chosen(path: Path, what: str | None) -> bool:
    return what is None or path.parent.name == what or path.name.startswith(what)


if __name__ == "__main__":
    main()
