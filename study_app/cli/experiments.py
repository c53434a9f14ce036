"""The command line's part for experiments: `plausibly run|replicate|schema|verify`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from engine.errors import PlausiblyError, UsageError
from engine.networks.devices import Device
from study_app.cli.options import (
    AsJson,
    MemoryBudget,
    OnDevice,
    OnlyDatasets,
    RunBy,
    Workers,
    print_json,
    say,
)
from study_app.installation import Settings

if TYPE_CHECKING:
    from engine.artifacts import ArtifactStore
    from engine.execution.executor import Executor, TasksFailedError
    from engine.experiments.experiment_file import Experiment
    from engine.results import Results


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
    dataset: OnlyDatasets = None,
    executor: RunBy = "local",
    device: OnDevice = "auto",
    workers: Workers = None,
    memory_budget: MemoryBudget = None,
    as_json: AsJson = False,
) -> None:
    """Train, choose, attack, explain and measure what an experiment file declares.

    What fails is named at the end, with what is there all the same; the exit code is then not 0.
    """
    from engine.components import yaml_files
    from engine.theory import linear

    document, _ = yaml_files.read(experiment, "experiment", linear.BUILT_IN)
    if document.get("kind") == linear.KIND:
        for option, given in {"--seeds": seeds, "--only": only, "--dataset": dataset}.items():
            if given is not None:
                raise UsageError(f"{option} is for experiments that train networks")
        _run_linear_theory(experiment, as_json=as_json)
        return
    made_by = _Made(executor, device, workers, memory_budget)
    loaded = _load(experiment, dataset)
    runs, failed = _run_experiment(loaded, made_by, seeds=seeds or 1, only=only)
    if as_json:
        found = [
            {
                "experiment": results.index.key,
                "name": results.name,
                "seed": results.config["seed"],
                "missing": results.config["missing"],
                **results.evaluation(),
            }
            for results in runs
        ]
        failures = [str(each) for each in failed.failures] if failed else []
        print_json({"runs": found, "failures": failures})
    else:
        from study_app.cli.experiment_tables import run_tables
        from study_app.cli.terminal import print_table

        for table in run_tables(runs):
            print_table(table)
    _end(failed, runs)


def replicate(
    experiment: Annotated[
        str, typer.Argument(help="ross2018 or nar2019; or a YAML file of your own, with --paper.")
    ],
    paper: Annotated[
        Literal["ross2018", "nar2019"] | None,
        typer.Option(
            help="Whose claims a file of your own is to test; its models have the labels of the "
            "paper's experiment, and may be some of them."
        ),
    ] = None,
    builtin: Annotated[
        bool, typer.Option("--builtin", help="On stand-in data that need no download.")
    ] = False,
    dataset: OnlyDatasets = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="How many seeds; fewer than five decide nothing.")
    ] = 5,
    executor: RunBy = "local",
    device: OnDevice = "auto",
    workers: Workers = None,
    memory_budget: MemoryBudget = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Markdown file to write, with how to read it and the numbers behind it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a paper's experiment and say of each of its claims: holds, fails or undecided."""
    from engine import replication
    from study_app.cli.experiment_tables import checks_table
    from study_app.cli.terminal import print_table

    if out is not None and not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}; make it first")
    file, name = _of_paper(experiment, paper, builtin=builtin)
    judge = replication.papers()[name]
    loaded = _load(file, dataset)
    # Before anything is made: it refuses an experiment that the claims are not about.
    left_out = judge.left_out(loaded.defenses)
    made_by = _Made(executor, device, workers, memory_budget)
    runs, failed = _run_experiment(loaded, made_by, seeds=seeds, only=None)
    if not runs:
        _end(failed, runs)
    checks = judge.checks(runs)
    by_chance = replication.by_chance(checks)
    if out is not None:
        _write(out, replication.document(judge, runs, checks))
    if as_json:
        found = [each.to_json() for each in checks]
        print_json({"checks": found, "by_chance": by_chance, "left_out": left_out})
    else:
        print_table(checks_table(name, checks))
        for sentence in (*left_out, by_chance):
            say(sentence)
    _end(failed, runs)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PlausiblyError(f"cannot write {path}: {error.strerror}") from None


@dataclass(frozen=True)
class _Made:
    """What makes artifacts, as the command line says it."""

    executor: Literal["local", "ray"]
    device: Device
    workers: int | None
    memory_budget: int | None

    def by(self, store: ArtifactStore) -> Executor:
        """Return the executor."""
        if self.executor == "ray":
            if self.workers is not None:
                raise UsageError(
                    "--workers is for processes on this machine; a Ray cluster gives out its own "
                    "cores and GPUs"
                )
            from engine.execution.ray import RayExecutor

            return RayExecutor(store, device=self.device, memory_budget=self.memory_budget)
        from engine.execution.local import LocalExecutor
        from engine.networks import devices

        found = devices.resolve(self.device)
        return LocalExecutor(store, self.workers, devices=found, memory_budget=self.memory_budget)


def _of_paper(experiment: str, paper: str | None, *, builtin: bool) -> tuple[str, str]:
    """Return the experiment to run, and the name of the paper whose claims it tests."""
    from engine import replication

    known = replication.papers()
    if Path(experiment).suffix:
        if paper is None:
            raise UsageError(
                f"--paper is missing: say whose claims {experiment} is to test, "
                f"{' or '.join(known)}"
            )
        if builtin:
            raise UsageError("--builtin is for the papers' own experiments; leave it out")
        return experiment, paper
    if experiment not in known:
        raise UsageError(
            f"unknown paper {experiment!r}; give {' or '.join(known)}, or a YAML file and --paper"
        )
    if paper not in (None, experiment):
        raise UsageError(f"--paper {paper} is for a YAML file; {experiment} tests its own claims")
    return (f"{experiment}-builtin" if builtin else experiment), experiment


def _load(experiment: str, datasets: Sequence[str] | None) -> Experiment:
    """Return the experiment of a file or a built-in name, on these datasets of it or on all."""
    from engine.experiments import experiment_file

    loaded = experiment_file.load(experiment)
    return loaded.on(datasets) if datasets else loaded


def _run_experiment(
    loaded: Experiment, made_by: _Made, *, seeds: int, only: str | None
) -> tuple[list[Results], TasksFailedError | None]:
    """Make what an experiment file declares, showing how it goes.

    Returns:
        Its finished runs, and what failed, if anything did.
    """
    from engine.execution.executor import TasksFailedError
    from engine.experiments import plan
    from engine.results import Results
    from study_app.cli.experiment_tables import chosen_lines, class_lines
    from study_app.cli.progress import ProgressObserver, console

    settings, failed = Settings(), None
    store = settings.store
    console.print(f"Experiment {loaded.name}: {loaded.title}", highlight=False)
    try:
        with settings.private_if_new(), ProgressObserver() as observer:
            indexes = plan.run(
                loaded,
                store,
                observer,
                made_by.by(store),
                seeds=seeds,
                only=only,
            )
    except KeyboardInterrupt:
        console.print("Stopped. What was finished is kept; run again to go on.")
        raise typer.Exit(130) from None
    except TasksFailedError as error:
        indexes = [each for each in error.made.values() if each.kind == "experiment"]
        failed = error
    observer.summary()
    runs = [Results(store, index) for index in indexes]
    for line in [*_notes(runs), *class_lines(runs), *chosen_lines(runs)]:
        console.print(line, highlight=False, soft_wrap=True)
    return runs, failed


def _end(failed: TasksFailedError | None, runs: list[Results]) -> None:
    """Raise what a run in which something failed ends with."""
    from study_app.cli import run_end

    if failed is not None:
        raise run_end.summary(failed, runs) from failed


def _artifacts(number: int) -> str:
    return f"{number} artifact" + "s" * (number != 1)


def schema() -> None:
    """Print the JSON schema of experiment files, for editors and checks."""
    from engine.experiments import schema as schemas

    print_json(schemas.experiment())


def _notes(runs: list[Results]) -> list[str]:
    """Return what is to be known of the data, of what they left out, and of networks; each once."""
    published = [f"{results.config['dataset']['name']}: {results.publication}" for results in runs]
    left_out = [
        f"{results.config['dataset']['name']}: {note}"
        for results in runs
        for note in results.config["notes"]
    ]
    of_networks = [
        f"{title}: {note}"
        for results in runs
        for defense, title in results.whole_models.items()
        for note in results.notes(defense)
    ]
    return list(dict.fromkeys([*published, *left_out, *of_networks]))


def _run_linear_theory(experiment: str, *, as_json: bool) -> None:
    from engine.theory import linear
    from study_app.cli.experiment_tables import linear_theory_table
    from study_app.cli.progress import console
    from study_app.cli.terminal import print_table

    loaded = linear.load(experiment)
    settings = Settings()
    with settings.private_if_new():
        made = linear.stored(loaded, settings.store)
    result = made.json(linear.ROWS)
    if as_json:
        print_json(result)
        return
    print_table(linear_theory_table(loaded.title, result["rows"]))
    console.print(f"Plot: {made.path / linear.PLOT}", highlight=False, soft_wrap=True)


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
    workers: Workers = None,
    memory_budget: MemoryBudget = None,
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
        made_by = _Made("local", device, workers, memory_budget)
        _regenerate(what, store, tolerance, made_by, as_json=as_json)
        return
    if as_json:
        print_json({"checked": checked, "problems": problems})
    elif not problems:
        say(f"{_artifacts(checked)}, all as recorded.")
    if problems:
        raise PlausiblyError("\n".join(problems))


def _regenerate(
    what: str | None, store: ArtifactStore, tolerance: float, made_by: _Made, *, as_json: bool
) -> None:
    from collections import Counter
    from dataclasses import asdict

    from engine.execution import regenerate
    from study_app.cli.computing import computing
    from study_app.cli.progress import ProgressObserver, console

    chosen = [artifact for artifact in store.all() if _chosen(artifact.path, what)]
    took = f", which took {computing(chosen)}" if chosen else ""
    console.print(f"Making {_artifacts(len(chosen))} again{took}.", highlight=False)
    try:
        with ProgressObserver() as observer:
            compared = regenerate.run(
                chosen, store, made_by.by(store), observer, tolerance=tolerance
            )
    except KeyboardInterrupt:
        console.print("Stopped.")
        raise typer.Exit(130) from None
    wrong = [str(each) for each in compared if each.outcome in ("different", "failed")]
    if as_json:
        made = [asdict(each) for each in compared]
        print_json({"checked": len(chosen), "problems": wrong, "regenerated": made})
    else:
        for each in compared:
            if each.outcome in ("tolerated", "skipped"):
                say(str(each))
        counts = Counter("same bits" if c.outcome == "same" else c.outcome for c in compared)
        ended = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        say(f"{_artifacts(len(chosen))}: {ended or 'nothing to make again'}.")
    if wrong:
        raise PlausiblyError("\n".join(wrong))


def _chosen(path: Path, what: str | None) -> bool:
    return what is None or path.parent.name == what or path.name.startswith(what)
