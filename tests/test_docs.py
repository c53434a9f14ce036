"""What the documents say is what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError
from typer.main import get_command

from engine.experiments import experiment_file
from study_app import exclusions
from study_app.api import nowhere
from study_app.cli import plausibly

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def commands(group, path=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def documented():
    """Return the command lines of README's list, alternatives spelled out: {words: line}."""
    found = {}
    for line in re.findall(r"^    plausibly (.+)$", README, flags=re.MULTILINE):
        words = []
        for word in line.split("  ")[0].split():
            if not re.fullmatch(r"[a-z][a-z|-]*", word):
                break
            words.append(word.split("|"))
        for last in words[-1]:
            found[(*(word[0] for word in words[:-1]), last)] = line
    return found


def test_every_command_is_in_the_readme_and_no_other():
    assert set(documented()) == {path for path, _ in commands(get_command(plausibly.app))}


def test_options_named_in_the_readme_exist():
    known = dict(commands(get_command(plausibly.app)))
    for path, line in documented().items():
        options = {option for p in known[path].params for option in p.opts}
        for option in re.findall(r"--[a-z-]+", line):
            assert option in options, (path, option)


def test_the_example_of_an_experiment_file_is_one():
    text = (ROOT / "docs/experiments.md").read_text()
    blocks = re.findall(r"```yaml\n(.+?)```", text, re.S)
    whole, folder, measured, layers, own = (yaml.safe_load(block) for block in blocks)
    experiment = experiment_file.Experiment(**whole)
    assert [run.name for run in experiment.runs(2)][::2] == [
        "penalties_digits",
        "penalties_digits_seed1",
    ]
    experiment_file.Experiment(**{**whole, **layers})
    metrics = experiment_file.Experiment(**{**whole, **measured}).section("map_metrics").metrics
    assert metrics[2].order == "signed"
    without = {key: value for key, value in whole.items() if key != "datasets"}
    pictures = experiment_file.Experiment(**without, **folder).dataset
    assert pictures.background == "#ffffff"
    assert pictures.range == (0, 4095)
    # Its module exists nowhere; everything else is right.
    with pytest.raises(ValidationError, match="our_lab") as refused:
        experiment_file.Experiment(**{**whole, "defenses": own["defenses"]})
    assert refused.value.error_count() == 1


@pytest.mark.parametrize(
    "document",
    sorted(p.relative_to(ROOT) for p in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))),
    ids=str,
)
def test_links_and_folders_exist(document):
    text = (ROOT / document).read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / document.parent / target).exists(), target
    for folder in re.findall(r"^\| `([a-z_]+/[a-z_/]*)` \|", text, flags=re.MULTILINE):
        assert (ROOT / folder).exists(), folder


def test_every_route_is_documented(lab_routes):
    documented = (ROOT / "docs/http.md").read_text()
    named = set(re.findall(r"`(GET|POST) (/[^`\s]+)", documented))
    served = set()
    for route in lab_routes:
        if route.endpoint is not nowhere:
            path = re.sub(r"\{study\}", "STUDY", route.path)
            path = path.replace("{opaque_id}", "<opaque>").replace("{sha256}", "<sha256>")
            path = re.sub(
                r"\{(key|defense|image|index|method)(:\w+)?\}", lambda m: m[1].upper(), path
            )
            served.add((next(iter(route.methods - {"HEAD"})), path))
    json_routes = {(verb, path) for verb, path in served if path.endswith(".json")}
    wanted = {(verb, path.split("?")[0]) for verb, path in named}
    assert served - json_routes == wanted
    assert {(v, p.replace(".json", ".png")) for v, p in json_routes} <= wanted


def test_every_exclusion_rule_is_documented_with_its_parameters():
    text = (ROOT / "docs/studies.md").read_text()
    (section,) = re.findall(r"^\*\*Exclusions\*\*.+?(?=^\*\*Words)", text, re.M | re.S)
    of_people, of_answers = section.split("Rules about people ")[1].split("Rules about answers ")
    documented = {
        (judges, name, tuple(re.findall(r"\w+", parameters)))
        for judges, part in (("people", of_people), ("answers", of_answers))
        for name, parameters in re.findall(r"^- `(\w+)(?:: ([\w, ]+))?`: ", part, re.M)
    }
    rules = {name: exclusions.registry.get(name) for name in exclusions.registry.names()}
    assert documented == {
        (rule.judges, name, tuple(rule.model_fields)) for name, rule in rules.items()
    }


@pytest.fixture
def lab_routes(tmp_path):
    from lab import open_lab

    lab = open_lab(tmp_path)
    yield lab.client.app.routes
    lab.database.close()
