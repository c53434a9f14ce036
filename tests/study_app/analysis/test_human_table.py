"""The human table as people read it."""

from engine.analysis.human_table import ConditionResult
from engine.statistics import Rate
from study_app.analysis.tables import long_frame


def test_conditions_with_the_same_title_stay_apart():
    rate = Rate(0.5, 0.2, 0.8, 3, 4, 12)
    rows = [ConditionResult(label, rate, rate, rate, rate) for label in ("b", "a", "clean")]
    titles = {"a": "Mistakes", "clean": "Clean", "b": "Mistakes"}
    frame = long_frame(rows, titles)
    told = frame["condition"].drop_duplicates().tolist()
    assert told == ["Mistakes (a)", "Clean", "Mistakes (b)"]
