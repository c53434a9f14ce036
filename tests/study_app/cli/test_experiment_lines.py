"""What a run says of its data beside its tables."""

from engine.experiments import experiment_file, plan
from study_app.cli import experiment_tables, experiments


def test_brackets_in_what_is_said_of_the_data_are_no_markup(monkeypatch, tmp_path, capsys):
    said = "folder: skipped 1 file with 32-bit values, which need range: [low, high]: [cat]/a.tif"
    monkeypatch.setenv("PLAUSIBLY_HOME", str(tmp_path))
    monkeypatch.setattr(plan, "run", lambda *_args, **_options: [])
    monkeypatch.setattr(experiments, "_notes", lambda _runs: [said])
    monkeypatch.setattr(experiment_tables, "class_lines", lambda _runs: ["a: [b] 3"])
    made_by = experiments._Made("local", "cpu", None, None)
    experiments._run_experiment(experiment_file.load("demo"), made_by, seeds=1, only=None)
    shown = capsys.readouterr().err
    assert said in shown
    assert "a: [b] 3" in shown
