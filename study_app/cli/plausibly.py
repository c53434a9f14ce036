"""The command line: `plausibly`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from db.errors import StorageError
from engine.errors import PlausiblyError
from study_app.cli import copies, datasets, experiments, map_export, report, results
from study_app.cli import studies as studies_cli
from study_app.cli.database import opened, upgraded
from study_app.cli.options import print_json, say
from study_app.cli.terminal import plain
from study_app.installation import Settings

if TYPE_CHECKING:
    from db.repository import StudyVersionInfo
    from study_app.server.file_limit import Room

app = typer.Typer(
    name="plausibly",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
database_app = typer.Typer(help="Look after the study database.", no_args_is_help=True)
app.add_typer(database_app, name="db")
app.add_typer(studies_cli.app, name="study")
app.add_typer(datasets.app, name="datasets")


@app.callback()
def before_every_command() -> None:
    """Human studies of adversarial robustness and interpretability."""
    narrowed = Settings().narrow_home()
    if narrowed is not None:
        print(narrowed, file=sys.stderr)


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
    settings = Settings()
    if not no_serve:
        _require_servable(host, port, settings)
    upgraded(settings)
    # In a process of its own: the server that follows must not carry torch.
    command = [sys.executable, "-m", "study_app.cli.plausibly", "run", "demo"]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise typer.Exit(done.returncode)
    from engine import results as experiment_results
    from study_app import study
    from study_app.cli import relaunch
    from study_app.design.study_design import design

    loaded = study.load("demo")
    drawn = design(loaded, experiment_results.find(settings.store, loaded.experiment))
    for line in relaunch.changes(loaded, settings, drawn, untouched=True):
        say(line)
    version = studies_cli.published(loaded, settings, drawn)
    say(f"Study demo is {version.status} (version {version.version}).")
    if not no_serve:
        serve(port=port, host=host)


for command in (
    experiments.run,
    experiments.replicate,
    report.report,
    experiments.verify,
    results.export,
    map_export.export_maps,
    results.analyze,
    copies.backup,
    copies.restore,
):
    app.command()(command)


@app.command()
def schema(
    what: Annotated[Literal["experiment", "study"], typer.Argument(help="Which files.")] = (
        "experiment"
    ),
) -> None:
    """Print the JSON schema of experiment or study files, for editors and checks."""
    if what == "experiment":
        experiments.schema()
    else:
        from study_app.study import study

        print_json(study())


@app.command()
def serve(
    port: Port = 8501,
    host: Host = "127.0.0.1",
    new_key: Annotated[
        bool,
        typer.Option(
            "--new-key", help="Go on with a new key where secret.key is lost: old links die."
        ),
    ] = False,
) -> None:
    """Serve the app: participants, researchers, gallery (upgrades the database after a backup)."""
    from db import repository
    from study_app.installation.key import replace_key, require_key
    from study_app.researcher import login
    from study_app.server.application import serve as serve_app

    settings = Settings()
    room = _require_servable(host, port, settings)
    database = settings.database()
    try:
        settings.make_home()
        backup = database.upgrade()
        database.check()
        database.write(lambda s: None)  # where it can only be read, that is said now
        ended = replace_key(settings, database) if new_key else []
        require_key(settings, database)
        given = settings.password.get_secret_value() if settings.password else None
        generated = login.ensure_password(database, given)
        with database.read() as s:
            studies = [repository.study(s, name) for name in repository.study_names(s)]
    finally:
        database.close()
    if backup is not None:
        say(f"The database was upgraded; a copy from before is at {backup}.")
    for sentence in ended:
        say(sentence)
    named = "localhost" if host in ("127.0.0.1", "0.0.0.0") else host  # noqa: S104
    where = settings.public_url() or f"http://{named}:{port}"
    for version in studies:
        if version is not None and version.status == "live":
            for line in _doors(where, version):
                say(line)
    if generated is not None:
        how = f"password: {generated} (shown only this once; PLAUSIBLY_PASSWORD sets another)"
    elif given is not None:
        how = "password: as set by PLAUSIBLY_PASSWORD"
    else:
        how = "password: as shown at the first start; PLAUSIBLY_PASSWORD sets another"
    say(f"Researchers   {where}/researcher   {how}")
    say(f"Gallery       {where}/gallery")
    if (warning := room.warning()) is not None:
        say(warning)
    say("Stop with Ctrl-C.")
    serve_app(host, port, room, settings.public_url())


def _require_servable(host: str, port: int, settings: Settings) -> Room:
    """Return what the server carries, once it is clear that it can be started."""
    from study_app.researcher import passwords
    from study_app.server.application import require_port
    from study_app.server.file_limit import raised_limit, room_of

    public = settings.public_url()
    opening = public or (None if passwords.is_loopback(host) else f"--host {host}")
    if settings.password is not None and opening is not None:
        passwords.require_strong(settings.password.get_secret_value(), opening)
    require_port(host, port)
    return room_of(raised_limit())


def _doors(where: str, version: StudyVersionInfo) -> tuple[str, ...]:
    """Where people take part in a live study; nowhere if this program cannot read it."""
    from study_app.participation.doors import told
    from study_app.study import UnreadableStudyError, study_of

    try:
        return told(where, version.name, study_of(version).provider)
    except UnreadableStudyError:
        return ()


@database_app.command("upgrade")
def database_upgrade() -> None:
    """Create the database, or bring it up to date after a backup."""
    settings = Settings()
    backup = upgraded(settings)
    where = settings.database().where
    say(f"{where} is up to date." + (f" Backup: {backup}" if backup else ""))


@database_app.command("backup")
def database_backup(
    target: Annotated[Path, typer.Argument(help="The file to write.")],
) -> None:
    """Copy the database, also while it is in use."""
    with opened() as database:
        made = database.backup(target)
    say(f"Backup: {made}")


def main() -> None:
    """Run the command line: one clear sentence for every error that a person can act on."""
    try:
        app()
    except (PlausiblyError, StorageError) as error:
        print(f"plausibly: {plain(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
