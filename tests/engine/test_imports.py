"""Imports go one way, and torch stays out of what a server loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from engine.jobs import kinds

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "engine": {"db", "study_app", "streamlit", "sqlalchemy", "typer", "rich", "starlette"},
    "db": {"engine", "study_app", "streamlit", "torch", "captum", "starlette"},
}
TORCH_FREE = [
    "engine",
    "engine.components.registry",
    "engine.artifacts",
    "engine.networks.devices",
    "engine.execution.local",
    "engine.execution.ray",
    "engine.execution.regenerate",
    "engine.artifacts.provenance",
    "engine.rendering",
    *(f"engine.jobs.{kind}" for kind in kinds.names()),
    "engine.results",
    "engine.stimuli",
    "engine.analysis.human_table",
    "engine.replication.nar2019",
    "engine.replication.ross2018",
    "engine.attacks",
    "engine.defenses",
    "engine.metrics",
    "engine.models",
    "engine.preprocessing",
    "db.repository",
    "db.export",
    "study_app.design.participant_plan",
    "study_app.design.publish",
    "study_app.outcomes.scoring",
    "study_app.server.application",
    "study_app.cli.plausibly",
    "study_app.cli.experiment_tables",
]


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", FORBIDDEN)
def test_a_package_imports_nothing_that_comes_after_it(package):
    for path in (ROOT / package).rglob("*.py"):
        assert not imported(path) & FORBIDDEN[package], path


def test_captum_scikit_learn_and_the_command_line_stay_out_of_training():
    code = (
        "import sys\n"
        "for name in ('streamlit', 'sqlalchemy', 'typer', 'captum', 'pooch'):\n"
        "    sys.modules[name] = None\n"
        "from engine import attacks, datasets, defenses, models, saliency, training\n"
        "[attacks.create(n) for n in attacks.registry.names()]\n"
        "[defenses.create(n) for n in defenses.registry.names()]\n"
        "own = {'external': {'module': 'torch.nn:Flatten'}}\n"
        "[models.create(n, **own.get(n, {})) for n in models.registry.names()]\n"
        "[datasets.create(n).load() for n in ('digits', 'photo_patches')]\n"
        "[saliency.create(n) for n in saliency.registry.names()]\n"
        "import engine.jobs.making, engine.experiments.plan\n"
        "assert 'sklearn' not in sys.modules, 'scikit-learn was imported'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_torch_is_not_loaded_by_what_the_server_imports():
    code = "import sys\n" + "".join(f"import {name}\n" for name in TORCH_FREE)
    code += "assert not {'torch', 'ray'} & set(sys.modules), 'torch or ray was imported'\n"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
