"""The table of outcomes in the documentation is that of the registry."""

from pathlib import Path

import pytest

from study_app.outcomes import outcomes

DOCUMENT = (Path(__file__).parents[3] / "docs/outcomes.md").read_text()


@pytest.mark.parametrize("combined", [False, True])
def test_every_outcome_is_documented_as_it_is_declared(combined):
    declared = [
        f"| `{each.name}` | {each.kind} | `{each.task}` | {each.description} |"
        for each in outcomes().values()
        if each.combined == combined
    ]
    own, several = DOCUMENT.split("## Of several answers")
    part = several.partition("## Items")[0] if combined else own
    told = [line for line in part.splitlines() if line.startswith("| `")]
    assert told == declared
