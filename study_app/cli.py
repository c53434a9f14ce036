"""The command line: `plausibly`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from db.errors import DatabaseError, ExportError, StudyNotFoundError
from engine.errors import PlausiblyError, UsageError
from study_app import datasets_cli, experiments_cli, report_cli
from study_app.settings import Settings
from study_app.terminal import AsJson, print_json, say

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from db.repository import StudyVersionInfo
    from db.session import Database

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
    say(f"Study demo is {version.status} (version {version.version}).")
    if not no_serve:
        serve(port=port, host=host)


for command in (
    experiments_cli.run,
    experiments_cli.replicate,
    report_cli.report,
    experiments_cli.schema,
    experiments_cli.verify,
):
    app.command()(command)


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
        say(f"The database was upgraded; a copy from before is at {backup}.")
    where = f"http://{'localhost' if host in ('127.0.0.1', '0.0.0.0') else host}:{port}"  # noqa: S104
    for version in studies:
        if version is not None and version.status == "live":
            say(f"Participants  {where}/take?study={version.name}")
    if generated is not None:
        how = f"password: {generated} (shown only this once; PLAUSIBLY_PASSWORD sets another)"
    elif given is not None:
        how = "password: as set by PLAUSIBLY_PASSWORD"
    else:
        how = "password: as shown at the first start; PLAUSIBLY_PASSWORD sets another"
    say(f"Researchers   {where}/researcher   {how}")
    say(f"Gallery       {where}/gallery")
    say("Stop with Ctrl-C.")
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
    say(f"{made.rows} ratings of study {study} in {made.folder}")


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
        print_json({"conditions": [asdict(row) for row in rows], "attention": asdict(catch)})
    else:
        titles = {c["label"]: c["title"] for c in version.config["conditions"]}
        print_table(human_table_rich(study, rows, catch, titles))


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
        print_json({"study": version.name, "status": version.status, "version": version.version})
    else:
        say(f"Study {version.name} is {version.status} (version {version.version}).")


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
        print_json({"study": study, "status": status, "versions": counts})
        return
    say(f"Study {study} is {status}.")
    for row in counts:
        say(
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
    say(f"Study {study} is closed. Its source images may now appear in the gallery.")


@database_app.command("upgrade")
def database_upgrade() -> None:
    """Create the database, or bring it up to date after a backup."""
    settings = Settings()
    backup = _upgrade(settings)
    where = settings.database().where
    say(f"{where} is up to date." + (f" Backup: {backup}" if backup else ""))


@database_app.command("backup")
def database_backup(
    target: Annotated[Path, typer.Argument(help="The file to write.")],
) -> None:
    """Copy the database, also while it is in use."""
    with _database() as database:
        made = database.backup(target)
    say(f"Backup: {made}")


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


if __name__ == "__main__":
    main()
