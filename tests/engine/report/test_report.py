"""The report: one page that needs nothing, numbers that are those of the arrays, honest marks."""

from __future__ import annotations

import csv
import errno
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from report_runs import CLASSES, DEFENSES, EPS, FGSM, IMAGES, write

from engine import report
from engine.artifacts import ArtifactStore
from engine.errors import ArtifactError, PlausiblyError, UsageError
from engine.replication import Check, published
from engine.replication.claims import Doubted
from engine.report import figure, look, verdicts
from engine.report.figures import classes, sweeps
from engine.report.runs import Study
from engine.results import Measures, Results
from engine.robustness import doubt
from engine.statistics import interval, median_interval, wilson

ROOT = Path(__file__).parents[3]
COMMAND = "plausibly report made-up.yaml --seeds 2"
MARKED = "Distillation <T=50> †"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """What the tests ask of the HTML: elements with attributes, figures, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.figures: dict[str, list[tuple[str, dict[str, str]]]] = {}
        self.words: dict[str, str] = {}
        self.open: list[str] = []
        self._figure = ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        element = (tag, {k: v or "" for k, v in attributes})
        self.elements.append(element)
        if tag == "figure":
            self._figure = element[1]["id"]
        if self._figure:
            self.figures.setdefault(self._figure, []).append(element)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "figure":
            self._figure = ""

    def handle_data(self, data):
        self.words[self._figure] = self.words.get(self._figure, "") + data


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return ArtifactStore(tmp_path_factory.mktemp("report") / "artifacts")


@pytest.fixture(scope="module")
def runs(store):
    return [write(store, seed=seed, doubted=seed == 0) for seed in (0, 1)]


@pytest.fixture(scope="module")
def built(runs):
    return report.build(runs, title="Made up", command=COMMAND)


@pytest.fixture(scope="module")
def page(built):
    return Page(built.files["report.html"].decode())


def rows(built, name):
    return list(csv.DictReader(io.StringIO(built.files[f"tables/{name}.csv"].decode())))


def one(found, **wanted):
    (row,) = [row for row in found if all(row[k] == str(v) for k, v in wanted.items())]
    return row


def close(row, wanted):
    expected = (wanted.value, wanted.low, wanted.high)
    return [float(row[k]) for k in ("value", "low", "high")] == pytest.approx(expected)


def test_every_kind_of_figure_is_there_once(built, page):
    assert [slug.removesuffix("-made_up") for slug in built.figures] == [
        "models", "classes", "threat-model", "doubt", "checklist", "gradients", "curves-fgsm",
        "transfer-fgsm", "ladder", "vulnerable", "overlap", "targets-jsma", "target-shares-jsma",
        "sweeps", "training-time", "log-probabilities", "gradient-norms", "features",
    ]  # fmt: skip
    assert set(page.figures) == set(built.figures)


def test_accuracies_by_class_are_those_of_the_answers(runs, built, page):
    found = rows(built, "classes-made_up")
    assert len(found) == len(DEFENSES) * 2 * CLASSES
    labels = runs[0].source.labels
    for attack in ("", "tgsm"):
        said = [
            run.examples("none", attack).label if attack else run.answers("none").label
            for run in runs
        ]
        for k, name in enumerate("abc"):
            row = one(found, defense="none", attack=attack, label=k)
            right = np.stack([own[labels == k] == k for own in said])
            resampled = interval([right])
            # Resampling knows nothing of what eight images do not show.
            low, high = wilson(round(right.mean() * 8), 8)
            assert float(row["value"]) == pytest.approx(right.mean())
            assert float(row["low"]) == pytest.approx(min(low, resampled.low))
            assert float(row["high"]) == pytest.approx(max(high, resampled.high))
            assert row["class"] == name
            assert row["test_images"] == "8"
    assert one(found, defense="none", attack="", label=1)["train_images"] == "20"
    words = page.words["classes-made_up"]
    assert "3 classes have fewer than 20 test images (a 8, b 8, c 8)" in words
    assert "more than 10 times in training images (a 300, b 20)" in words
    assert "300 / 30 / 8" in words
    assert one(found, defense="distillation", attack="", label=0)["doubt"]


def test_of_many_classes_those_that_are_mistaken_most_are_drawn(runs, monkeypatch):
    monkeypatch.setattr(classes, "_SHOWN", 2)
    (data,) = Study(runs, "Made up").datasets
    (figure_,) = classes.draw(data)
    assert "Drawn are the 2 of 3 classes that are most often mistaken" in " ".join(figure_.notes)
    mean = dict.fromkeys("abc", 0.0)
    for row in map(dict, (zip(figure_.table.columns, r, strict=True) for r in figure_.table.rows)):
        if row["attack"] == "":
            mean[row["class"]] += row["value"]
    drawn = [name for name in "abc" if f">{name}</text>" in figure_.pictures[0].svg]
    assert len(drawn) == 2
    assert max(mean[name] for name in drawn) == sorted(mean.values())[1]


def test_the_page_loads_nothing(built, page):
    html = built.files["report.html"].decode()
    for tag, attributes in page.elements:
        for name in ("src", "srcset", "data", "action", "poster"):
            assert name not in attributes, (tag, attributes)
        for name in ("href", "xlink:href"):
            address = attributes.get(name, "#")
            assert address.startswith(("#", "data:", "tables/", "figures/")), address
        assert not (tag == "link" and attributes["rel"] != "icon")
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"@import|@font-face|url\((?!#)", html)
    assert set(re.findall(r"https?://[^\"' ]+", html)) <= {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink",
    }  # fmt: skip


def test_addresses_are_unique_and_lead_somewhere(built, page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [a["href"] for tag, a in page.elements if tag == "a"]
    for link in links:
        assert (link[1:] in ids) if link.startswith("#") else (link in built.files), link
    assert {f"#{slug}" for slug in built.figures} <= set(links)
    assert all(name in links for name in built.files if name != "report.html")
    used = set(re.findall(r"url\(#([^)]+)\)", built.files["report.html"].decode()))
    assert used <= set(ids)


def test_every_figure_says_what_how_and_where_from(built, page):
    assert page.open == []
    for slug, elements in page.figures.items():
        tags = [tag for tag, _ in elements]
        assert tags.count("h3") == tags.count("figcaption") == 1
        classes = [attributes.get("class", "") for _, attributes in elements]
        assert {"sentence", "command", "config"} <= set(classes), slug
        assert COMMAND in page.words[slug]
        assert '"kind"' in page.words[slug]
        drawn = [attributes for tag, attributes in elements if tag == "svg"]
        assert drawn or "table" in tags
        for attributes in drawn:
            assert attributes["role"] == "img"
            assert len(attributes["aria-label"]) > 30
        scrolling = [a for _, a in elements if a.get("class") == "scroll"]
        assert all(a["tabindex"] == "0" and a["aria-label"] for a in scrolling)
        assert f"tables/{slug}.csv" in [a.get("href") for _, a in elements]


def test_the_origin_names_configuration_and_artifacts(runs, built, page):
    key = runs[1].index.recipe.parents["curve:fgsm:none"].key
    text = page.words["curves-fgsm-made_up"]
    assert f'"curve:fgsm:none, seed 1": "{key}"' in text
    assert '"eps": [' in text


def test_titles_are_text_and_never_markup(built):
    html = built.files["report.html"].decode()
    assert "<T=50>" not in html
    assert "&lt;T=50&gt;" in html


def test_dollars_in_a_title_are_no_formula():
    with look.drawing():
        figure, (axes,) = look.panels(1, columns=1, width=300, height=200)
        axes.set_title(r"$5 or $\frac")
        axes.plot([1], [1], label="$x^2$")
        axes.legend()
    drawn = look.svg(figure, "dollars")
    assert r"$5 or $\frac" in drawn
    assert "$x^2$" in drawn


def test_drawings_take_the_colours_of_the_page(built):
    svg = built.files["figures/curves-fgsm-made_up.svg"].decode()
    html = built.files["report.html"].decode()
    assert look.INK in svg
    assert look.INK not in html.split("</style>")[1]
    assert "currentColor" in html
    for colour in ("vermillion", "orange"):
        assert look.COLOURS[colour] in svg
        assert f"var(--{colour})" in html
    assert "<metadata" not in svg


def test_no_two_models_look_alike():
    labels = [f"model_{i}" for i in range(20)]
    found = look.styles(["none", "distillation", *labels])
    assert len({(s.colour, s.marker, str(s.dash), s.hollow) for s in found.values()}) == 22
    assert look.styles(["distillation"])["distillation"] == found["distillation"]


def test_curves_are_the_accuracies_of_the_predictions(runs, built):
    table = rows(built, "curves-fgsm-made_up")
    assert len(table) == len(DEFENSES) ** 2 * len(FGSM)
    for source in DEFENSES:
        found = [run.curve("fgsm", source) for run in runs]
        for tested in DEFENSES:
            for i, eps in enumerate(FGSM):
                right = np.stack([each.tested[tested][i] == each.labels for each in found])
                row = one(table, source=source, tested=tested, at=eps)
                assert float(row["value"]) == pytest.approx(right.mean())
                assert close(row, interval([right]))
                assert (int(row["seeds"]), int(row["images"])) == (2, IMAGES)


def test_images_count_within_every_larger_disturbance(runs, built):
    table = rows(built, "vulnerable-made_up")
    found = [run.curve("linf_test", "none") for run in runs]
    hit = np.stack([each.tested["none"] != each.labels for each in found])
    for i, eps in enumerate(EPS):
        row = one(table, surface="linf_test", defense="none", at=eps)
        assert float(row["value"]) == pytest.approx(hit[:, : i + 1].any(1).mean())
    steps = np.stack([r.curve("small_steps", "none").tested["none"] for r in runs])
    row = one(table, surface="small_steps", defense="none", at=0.004)
    assert float(row["value"]) == pytest.approx((steps[:, 1] != found[0].labels).mean())


def test_minimum_norms_are_those_before_rounding_which_is_said(runs, built):
    table = [row for row in rows(built, "vulnerable-made_up") if row["surface"] == "smallest"]
    made = [run.minimum_norm("smallest", "none") for run in runs]
    assert any(m.rounded_away.any() for m in made)
    assert re.search(r"rounding to 8 bits undoes \d+%", built.files["report.html"].decode())
    for row in (row for row in table if row["defense"] == "none"):
        within = [(m.norm <= float(row["at"])).mean() for m in made]
        assert float(row["value"]) == pytest.approx(np.mean(within))
    assert all(float(row["value"]) < 1 for row in table)  # one image has no adversarial example


def test_the_worst_case_is_wrong_under_any_attack(runs, built):
    table = rows(built, "ladder-made_up")
    right = []
    for run in runs:
        ladder = run.ladder("none")
        names = ("fgsm", "cross_entropy", "margin", "scaled", "converged", "strong", "square")
        attacks = [getattr(ladder, name) for name in names]
        right.append(np.all([a == ladder.labels for a in attacks], axis=0))
    for i, eps in enumerate(EPS):
        row = one(table, defense="none", attack="worst_case", eps=eps)
        assert float(row["value"]) == pytest.approx(np.mean([each[i] for each in right]))


def test_overlap_is_both_over_either(runs, built):
    table = rows(built, "overlap-made_up")
    row = one(table, examples="own", one="none", other="penalty_loss")
    at = FGSM.index(float(row["at"]))
    both = either = 0
    for run in runs:
        wrong = []
        for defense in ("none", "penalty_loss"):
            made = run.curve("fgsm", defense)
            wrong.append(made.tested[defense][at] != made.labels)
        both += (wrong[0] & wrong[1]).sum()
        either += (wrong[0] | wrong[1]).sum()
    assert float(row["value"]) == pytest.approx(both / either)


def test_target_shares_are_the_hits(runs, built):
    table = rows(built, "target-shares-jsma-made_up")
    hit = np.stack([run.grid("none", "jsma").hit for run in runs])
    true = runs[0].grid("none", "jsma").true_label
    row = one(table, defense="none", true="a", target="b")
    assert float(row["value"]) == pytest.approx(hit[:, true == 0, 1].mean())
    assert float(one(table, defense="none", true="all")["value"]) == pytest.approx(
        hit.sum() / (hit.size * (CLASSES - 1) / CLASSES)
    )
    pictures = rows(built, "targets-jsma-made_up")
    assert len(pictures) == len(DEFENSES) * CLASSES**2
    assert not any(row["hit"] == "true" for row in pictures if row["true"] == row["target"])


def test_gradient_norms_tell_zeros_apart(runs, built):
    table = rows(built, "gradient-norms-made_up")
    norms = np.stack([run.measures("distillation")["gradient_norms"] for run in runs])
    labels = runs[0].measures("none")["labels"]
    true = norms[:, np.arange(IMAGES), labels]
    zero = one(table, defense="distillation", labels="true", quantity="zero_share")
    assert (true == 0).mean() > 0.5
    assert float(zero["value"]) == pytest.approx((true == 0).mean())
    median = one(table, defense="distillation", labels="true", quantity="median_of_nonzero")
    positive = np.sort(true[true > 0])
    assert float(median["value"]) == pytest.approx(positive[(len(positive) - 1) // 2])


def test_log_probabilities_of_a_model_sum_to_one(built):
    table = rows(built, "log-probabilities-made_up")
    for defense in DEFENSES:
        for labels in ("true", "other"):
            shares = [
                float(row["value"])
                for row in table
                if (row["defense"], row["labels"]) == (defense, labels)
            ]
            assert sum(shares) == pytest.approx(1)


def test_a_sweep_names_what_diverged_and_what_was_chosen(built):
    table = rows(built, "sweeps-made_up")
    row = one(table, strength=1.0, quantity="white_box")
    assert (row["low"], row["high"], row["chosen_by_seeds"]) == ("0.4", "0.5", "2")
    assert float(row["value"]) == pytest.approx(0.45)
    assert one(table, strength=10.0, quantity="clean")["diverged"] == "2"


def test_a_sweep_of_equal_seeds_is_drawn(store):
    """Three times .8 have a mean above .8, and an error bar to it would be negative."""
    assert np.mean([0.8] * 3) > 0.8
    (data,) = Study([write(store, seed=seed) for seed in (0, 1, 2)], "Made up")
    (drawn,) = sweeps.draw(data)
    row = drawn.table.rows[[row[2:4] for row in drawn.table.rows].index((1.0, "transferred"))]
    assert row[4:8] == (0.8, 0.8, 0.8, 3)


def test_a_median_has_the_interval_of_its_resamples():
    rng = np.random.default_rng(0)
    scores = rng.normal(3, 1, (2, 301))
    found = median_interval(scores)
    assert found.value == pytest.approx(np.sort(scores.ravel())[300])
    assert found.low < found.value < found.high
    # The standard error of a normal sample's median is 1.25 of its mean's.
    assert found.high - found.low == pytest.approx(2 * 1.96 * 1.2533 / np.sqrt(602), rel=0.5)
    assert median_interval(np.where(scores > 3, np.nan, scores)).value < 3
    assert median_interval(np.full((2, 5), np.nan)).value is None


SHOWS_ROBUSTNESS = (
    "models", "curves-fgsm", "transfer-fgsm", "ladder", "vulnerable", "overlap", "targets-jsma",
    "target-shares-jsma", "gradient-norms",
)  # fmt: skip


def test_a_doubted_model_is_marked_wherever_its_robustness_is_shown(built, page):
    html = built.files["report.html"].decode()
    for start in SHOWS_ROBUSTNESS:
        slug = f"{start}-made_up"
        section = html[html.index(f'<figure id="{slug}"') :].split("</figure>")[0]
        assert "† Distillation &lt;T=50&gt;: gradients likely masked (1 of 2 seeds)" in section
        assert re.search(r"&lt;T=50&gt; †", section), slug
        table = rows(built, slug)
        who = next(c for c in ("tested", "defense", "one") if c in table[0])
        for row in table:
            doubted = "distillation" in (row[who], row.get("other"))
            assert row["doubt"] == ("gradients likely masked" if doubted else ""), slug
    assert "Gradient penalty †" not in html


def test_the_doubt_section_holds_every_check_of_every_seed(built, page):
    table = rows(built, "doubt-made_up")
    assert len(table) == 2 * 2 * len(DEFENSES)
    zero = [row for row in table if row["check"] == "zero gradients"]
    failed = [row for row in zero if row["state"] == "failed"]
    assert [(row["defense"], row["seed"]) for row in failed] == [("distillation", "0")]
    text = page.words["doubt-made_up"]
    assert "✗ .90 [.80, .95], 1 of 2 seeds" in text
    assert "✓ .00 [.00, .10]" in text
    assert "1 of 3 models failed a check" in page.words[""]


def test_a_check_that_was_skipped_or_noted_is_no_check_that_passed(built, page):
    table = [row for row in rows(built, "doubt-made_up") if row["check"] != "zero gradients"]
    assert {row["state"] for row in table} == {"noted", "skipped"}
    assert {row["value"] for row in table if row["state"] == "skipped"} == {""}
    assert {row["smallest"] for row in table} == {"0.25"}
    text = page.words["doubt-made_up"]
    assert "! .20 [.10, .30], 1 of 2 seeds; the margin counts" in text
    assert "– at every ε both are at chance" in text


def test_the_threat_model_is_what_the_ladders_were_made_with(built, page):
    text = page.words["threat-model-made_up"]
    assert "L∞ in pixels, ε = .05 (12/255), .1 (25/255) and .2" in text
    assert "PGD of 20 steps from 3 starts on each of three losses, then of 40 steps" in text
    assert "worst_case (pgd); square with 500 queries" in text
    assert "24 test images, evenly spaced, with each of 2 seeds" in text
    assert "a black box that gives logits" in text
    assert len(rows(built, "threat-model-made_up")) == 7


def test_the_checklist_says_what_was_done_and_what_was_not(built):
    state = {row["item"]: row["state"] for row in rows(built, "checklist-made_up")}
    assert state["Several random starts"] == state["An attack without gradients"] == "done"
    assert state["Transfer by an iterated attack"] == "done"
    assert state["An attack on labels alone"] == "not done"
    # The ladder of these runs ends at .2, and one model is masked.
    assert state["Accuracy over the size of the attack"] == "not done"
    assert state["BPDA where a defense hides gradients"] == "not done"
    assert state["Expectation where a model is stochastic"] == "does not apply"


def test_doubt_of_earlier_runs_is_told_as_it_was_stored(store, tmp_path):
    old = [write(store, seed=8, old_doubt=True)]
    found = old[0].doubts("distillation")
    assert found["reasons"] == ["gradients likely masked"]
    assert found["notes"] == []
    assert [check["state"] for check in found["checks"]] == ["failed"]
    assert [check["state"] for check in old[0].doubts("none")["checks"]] == ["passed"]
    assert old[0].ladder("none").strong is None
    built = report.build(old, title="Made up", command=COMMAND)
    state = {row["item"]: row["state"] for row in rows(built, "checklist-made_up_seed8")}
    assert state["An attack without gradients"] == state["The strongest known attack"] == "not done"
    assert state["Several random starts"] == "done"
    assert one(rows(built, "doubt-made_up_seed8"), defense="distillation")["state"] == "failed"
    lines = {row["attack"] for row in rows(built, "ladder-made_up_seed8")}
    assert "worst_case" in lines
    assert "worst_case_float" not in lines


def test_runs_without_the_new_measurements_lack_these_figures_and_say_so(store):
    old = [write(store, seed=7, everything=False)]
    built = report.build(old, title="Made up", command=COMMAND)
    page = Page(built.files["report.html"].decode())
    assert [slug.split("-made_up")[0] for slug in built.figures] == [
        "models", "classes", "gradients", "log-probabilities", "gradient-norms",
    ]  # fmt: skip
    row = one(rows(built, "classes-made_up_seed7"), defense="none", attack="", label=2)
    assert (row["train_images"], row["test_images"]) == ("", "8")
    headings = {a["href"] for tag, a in page.elements if tag == "a" and a["href"][:1] == "#"}
    assert not {"#ladder", "#doubt", "#verdicts", "#targets"} & headings
    assert "Not checked" in page.words[""]
    assert built.verdicts == {}


NO_HEAD = "the network has no linear layer whose output is its logits"


def without_features(monkeypatch, *defenses):
    measured = Results.measures

    def measures(results, defense):
        found = measured(results, defense)
        if defense not in defenses:
            return found
        gone = {name for name in found if name.startswith(("singular", "margins"))}
        kept = {name: found[name] for name in found if name not in gone}
        return Measures(kept, dict.fromkeys(gone, NO_HEAD))

    monkeypatch.setattr(Results, "measures", measures)


def test_what_a_network_cannot_give_is_absent_with_its_reason(runs, monkeypatch):
    without_features(monkeypatch, "penalty_loss")
    built = report.build(runs, title="Made up", command=COMMAND)
    name = "features-made_up"
    measured = {row["defense"] for row in rows(built, name)}
    assert measured == {"none", "distillation"}
    page = Page(built.files["report.html"].decode())
    assert f"Not measured of “Gradient penalty”: {NO_HEAD}." in page.words[name]


def test_a_section_that_no_network_can_fill_says_why(runs, monkeypatch):
    without_features(monkeypatch, *DEFENSES)
    built = report.build(runs, title="Made up", command=COMMAND)
    page = Page(built.files["report.html"].decode())
    name = "features-made_up"
    assert page.words[name].count(NO_HEAD) == len(DEFENSES)
    assert "No network here has penultimate features" in page.words[name]
    assert not any(tag == "svg" for tag, _ in page.figures[name])


def test_what_is_to_be_known_of_a_network_stands_with_the_models(runs, monkeypatch):
    said = "stochastic, 20 draws: its answer is the log of the mean softmax over them"
    monkeypatch.setattr(Results, "notes", lambda _, d: (said,) if d == "penalty_loss" else ())
    built = report.build(runs, title="Made up", command=COMMAND)
    words = Page(built.files["report.html"].decode()).words["models-made_up"]
    assert words.count(f"Gradient penalty: {said}.") == 1


def test_several_datasets_share_sections_and_keep_their_tables(store):
    both = [write(store, seed=0, label=label, everything=False) for label in ("one", "two")]
    built = report.build(both, title="Made up", command=COMMAND)
    assert [s for s in built.figures if s.startswith("models")] == ["models-one", "models-two"]
    assert [data.title for data in Study(both, "Made up")] == ["Made-up one", "Made-up two"]


class Paper:
    """A paper of which two statements are judged."""

    def left_out(self, defenses):
        return ["Left out of claim 9: what needs '<b>', which the experiment has not."]

    def checks(self, runs):
        return [
            Check(
                "1", "", "a < b: how far above", 0.3, 0.2, 0.4, 0.0, 5, IMAGES, p=0.001,
                p_corrected=0.002, family=2, at="against <b>",
                doubted=(Doubted("<b>", doubt.MASKED, (0, 3)),),
            ),
            Check("1", "", "another", 0.0, -0.1, 0.1, 0.0, 5, IMAGES, p=0.9, p_corrected=0.9),
            Check("2", "", "not there", None, -np.inf, np.inf, 0.0, 2, IMAGES, origin="abstract"),
            Check("3", "", "equal", 0.1, 0.0, np.inf, 0.15, 1, IMAGES, relation="<", origin="ours"),
        ]  # fmt: skip


def test_claims_have_a_verdict_in_words_with_a_sign_and_a_drawing(runs, monkeypatch):
    monkeypatch.setattr(verdicts, "papers", lambda: {"ross2018": Paper()})
    built = report.build(runs, title="Made up", command=COMMAND)
    page = Page(built.files["report.html"].decode())
    assert built.verdicts == {"holds": 1, "fails": 0, "undecided": 3}
    text = " ".join(page.words[""].split())
    assert (
        "1 a < b: how far above (must exceed 0) Made up .30 [.20, .40] ✓ holds p = .002; "
        "against <b>; doubted: <b> † (seeds 0, 3)"
    ) in text
    assert "(must exceed 0; in the abstract’s words) Made up not measured ? undecided" in text
    assert "(must stay below 0.15; asked by us)" in text
    assert "? undecided (1 of 5 seeds)" in text
    assert "1 of 4 statements are decided." in text
    assert "Left out of claim 9: what needs '<b>', which the experiment has not." in text
    assert "† Distillation <T=50>: gradients likely masked" in text
    labels = [a["aria-label"] for tag, a in page.elements if tag == "svg"]
    assert ".30 [.20, .40] against 0: holds" in labels
    table = rows(built, "verdicts-ross2018")
    assert [row["verdict"] for row in table] == ["holds"] + 3 * ["undecided"]
    assert [row["doubted"] for row in table][:2] == ["<b> † (seeds 0, 3)", ""]
    assert [row["p_corrected"] for row in table][:3] == ["0.002", "0.9", ""]
    assert [row["low"] for row in table] == ["0.2", "-0.1", "", "0.0"]
    assert table[3]["high"] == ""


def test_stand_ins_are_named_and_the_authors_stand_beside_their_own_data_only(store, built, page):
    assert "Stand-in data" in page.words[""]
    assert "The papers used other datasets" in page.words["curves-fgsm-made_up"]
    assert {row["authors"] for row in rows(built, "curves-fgsm-made_up")} == {""}
    made = write(store, dataset="mnist", state="as published")
    mnist = report.build([made], title="Made up", command=COMMAND)
    table = rows(mnist, "curves-fgsm-made_up")
    recorded = json.loads((ROOT / "engine/replication/ross2018_transfer.json").read_text())
    theirs = recorded["data"]["MNIST"]["fgsm"]["distilled"]["doubleback"]["0.3"]
    row = one(table, source="distillation", tested="penalty_loss", at=0.3)
    assert float(row["authors"]) == theirs
    words = Page(mnist.files["report.html"].decode()).words
    assert "what the authors recorded" in words["curves-fgsm-made_up"]
    assert "Stand-in" not in words[""]


def test_the_authors_values_need_the_same_space_and_attack():
    fgsm = {"name": "fgsm", "space": "pixels", "label": "true"}
    behind = {**fgsm, "space": "model_input"}
    grey = [{"name": "grey"}, {"name": "gcn"}]
    assert published.accuracies("mnist", fgsm, []) is not None
    assert published.accuracies("notmnist", behind, [{"name": "shift", "by": -0.5}]) is not None
    assert published.accuracies("svhn", behind, grey) is not None
    assert published.accuracies("svhn", fgsm, grey) is None
    assert published.accuracies("digits", fgsm, []) is None
    assert published.accuracies("mnist", {**fgsm, "label": "predicted"}, []) is None
    steps = {"name": "tgsm", "space": "pixels", "steps": 10}
    assert published.accuracies("mnist", steps, []) is None
    assert published.accuracies("mnist", {**steps, "steps": 1}, []) is not None


def test_equal_runs_give_equal_bytes(runs, built):
    again = report.build(runs, title="Made up", command=COMMAND)
    assert again.files.keys() == built.files.keys()
    assert all(again.files[name] == built.files[name] for name in built.files)


def test_a_new_report_replaces_the_old_one_as_a_whole(built, tmp_path):
    out = tmp_path / "report"
    assert report.save(built, out) == out / "report.html"
    few = report.Report({"report.html": b"new", "tables/a.csv": b"a\n"}, (), {})
    report.save(few, out)
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*.*")) == sorted(few.files)
    assert [p.name for p in tmp_path.iterdir()] == ["report"]


@pytest.mark.parametrize("failing", ["write_bytes", "rename"])
def test_a_failure_leaves_the_old_report_whole(built, tmp_path, monkeypatch, failing):
    out = tmp_path / "report"
    report.save(report.Report({"report.html": b"old"}, (), {}), out)
    real = getattr(Path, failing)

    def fail(self, *arguments):
        if "draft" in str(self) and (failing == "rename" or self.suffix == ".svg"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, *arguments)

    monkeypatch.setattr(Path, failing, fail)
    with pytest.raises(PlausiblyError, match="No space left"):
        report.save(built, out)
    assert (out / "report.html").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["report"]


def test_what_is_not_a_report_is_never_replaced(built, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("mine")
    (tmp_path / "alike" / "tables").mkdir(parents=True)
    for name, reason in (
        ("file", "a file is in the way"),
        ("folder", "no report .thesis.tex"),
        ("alike", "no report .tables"),
        ("none/report", "make it first"),
    ):
        with pytest.raises(UsageError, match=reason):
            report.save(built, tmp_path / name)
    (tmp_path / "empty").mkdir()
    assert report.save(built, tmp_path / "empty").exists()


def test_a_damaged_artifact_is_an_error(tmp_path):
    store = ArtifactStore(tmp_path / "artifacts")
    made = write(store, everything=False)
    measures = store.get("measures", made.index.recipe.parents["measures:none"].key)
    (measures.path / "measures.npz").write_bytes(b"no")
    with pytest.raises(ArtifactError, match="damaged"):
        report.write([made], tmp_path / "out", title="Made up", command=COMMAND)
    assert not (tmp_path / "out").exists()
    with pytest.raises(PlausiblyError, match="no finished run"):
        report.write([], tmp_path / "out", title="Made up", command=COMMAND)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.62, ".62"), (1, "1.00"), (0.999, "1.00"), (-0.13, "−.13"), (-0.001, ".00"), (12.3, "12.30"),
     (None, "–"), (float("inf"), "–")],
)  # fmt: skip
def test_numbers_are_printed_as_papers_do(value, text):
    assert figure.number(value) == text


def test_neither_torch_nor_matplotlib_is_loaded_before_something_is_drawn():
    code = "import sys, engine.report\nassert not {'torch', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
