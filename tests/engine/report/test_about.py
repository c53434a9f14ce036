"""What a report says of its data and models: what was written down when the experiment was run."""

from __future__ import annotations

import csv
import io
import re
from html import unescape

import pytest
from report_runs import DATA_SHA256, DEFENSES, write

from engine import report
from engine.artifacts import ArtifactStore
from engine.report.about import About
from engine.report.runs import Study
from engine.results import Results, Role


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture(autouse=True)
def few_sections(monkeypatch):
    """Draw the curves alone: what is looked at here does not depend on the others."""
    curves = [section for section in report.SECTIONS if section.slug in ("curves", "sweeps")]
    monkeypatch.setattr(report, "SECTIONS", curves)


def text_of(built: report.Report) -> str:
    page = built.files[report.PAGE].decode().split("</style>")[1]
    return " ".join(unescape(re.sub("<[^>]+>", " ", page)).split())


def facts(results) -> dict[str, str]:
    (data,) = Study([results], "Made up")
    return dict(About(data).facts)


def test_the_page_names_data_checksum_state_sizes_notes_and_programs(store):
    results = write(store, dataset="mnist", state="as published")
    found = facts(results)
    assert found["Dataset"].startswith("mnist: 70000 handwritten digits")
    assert found["Origin"] == "As published: made up to be as published"
    assert found["Checksum"] == DATA_SHA256
    assert found["Images"].startswith("360 training, 36 validation and 24 test images")
    assert found["Classes"] == "3: a, b, c"
    for part in ("plausibly ", "torch ", "Python ", "on cpu"):
        assert part in found["Made with"]
    built = report.build([results], title="Made up", command="x")
    page = text_of(built)
    for said in found.values():
        assert said in page
    rows = csv.DictReader(io.StringIO(built.files["tables/about-made_up.csv"].decode()))
    assert {row["what"]: row["value"] for row in rows if not row["defense"]} == found


def test_every_figure_has_a_line_on_its_data_and_models(store):
    built = report.build(
        [write(store, dataset="mnist", state="as published")], title="t", command="c"
    )
    page = built.files[report.PAGE].decode()
    lines = re.findall(r'<p class="of">([^<]+)</p>', page)
    assert len(lines) == len(built.figures) == 2
    assert set(lines) == {"mnist (as published), 360 training images; small_cnn; seed 0"}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("not as published", "mnist , not as published;"),
        ("unknown", "mnist , unknown whether as published;"),
        (None, "mnist , unknown whether as published;"),
    ],
)
def test_the_authors_stand_beside_the_published_data_only(store, state, said):
    results = write(store, dataset="mnist", state=state)
    built = report.build([results], title="Made up", command="x")
    page = text_of(built)
    assert said in page
    assert ("Not the published data. mnist: made up to be" in page) == (state == "not as published")
    assert "Hollow" not in page
    assert "The authors recorded values for these data as published; they are not drawn" in page
    rows = csv.DictReader(io.StringIO(built.files["tables/curves-fgsm-made_up.csv"].decode()))
    assert {row["authors"] for row in rows} == {""}


def test_a_choice_of_classes_is_not_the_authors_task(store):
    results = write(store, dataset="mnist:3,8", state="as published")
    assert "authors recorded" not in text_of(report.build([results], title="t", command="c"))


def test_what_was_not_written_down_is_said_to_be_so(store):
    found = facts(write(store, dataset="mnist", everything=False))
    assert "from before this was recorded" in found["Origin"]
    assert found["Images"] == "24 test images (training and validation: not recorded)"
    # Of data that come with the program the checksum tells, then as now.
    assert facts(write(store, dataset="digits"))["Origin"].startswith("Not as published")
    assert facts(write(store, dataset="no_such_data"))["Dataset"] == "no_such_data"


def test_models_are_told_with_network_schedule_and_the_strength_that_was_chosen(store, monkeypatch):
    results = write(store)
    architecture = {"name": "paper_cnn", "preprocessing": [{"name": "grey"}, {"name": "gcn"}]}
    config = {
        "architecture": architecture,
        "shape": [3, 32, 32],
        "training": {"steps": 700, "batch_size": 64, "lr": 0.002, "adam_eps": 1e-4},
        "defense": {"name": "gradient_penalty", "strength": 1.0, "target": "loss"},
    }
    read = Results.artifact

    def artifact(self, role):
        found = read(self, role)
        if role == Role("model", "penalty_loss"):
            found.manifest["recipe"]["config"] |= config
        return found

    monkeypatch.setattr(Results, "artifact", artifact)
    (data,) = Study([results], "Made up")
    about = About(data)
    row = dict(
        zip(about.rows[0], about.rows[1 + list(DEFENSES).index("penalty_loss")], strict=True)
    )
    assert row == {
        "Model": "Gradient penalty",
        "Network": "paper_cnn behind grey and gcn",
        "Weights": "–",  # its training is stored as one that diverged
        "Steps": "700",
        "Batch": "64",
        "Learning rate": "0.002 (Adam’s ε 0.0001)",
        "Defense": "gradient penalty, strength 1, target loss; 1 chosen of 3",
    }
    assert "of 32×32 pixels, colour" in dict(about.facts)["Images"]
    assert "small_cnn and paper_cnn behind grey and gcn, 700 steps of 64 images" in about.line


def test_several_datasets_are_folded_and_each_is_named(store):
    runs = [write(store, dataset=name, label=name, state="unknown") for name in ("mnist", "svhn")]
    built = report.build(runs, title="Made up", command="x")
    page = built.files[report.PAGE].decode()
    for name in ("mnist", "svhn"):
        assert f'<details id="about-{name}">' in page
        assert f'href="#about-{name}"' in page
        assert f"tables/about-{name}.csv" in built.files
    assert (
        '<details id="about-made_up" open>'
        in report.build([write(store)], title="t", command="x").files[report.PAGE].decode()
    )
