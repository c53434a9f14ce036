"""Class names are words: translated or not, the same answers give the same numbers."""

from copy import deepcopy

import pytest
from databases import on_sqlite
from lab import Person

from db import export
from engine.analysis.attention import attention
from study_app.exclusions import judge
from study_app.outcomes.scoring import score

WORDS = {
    "de": ["Null", "Eins", "Zwei", "Drei", "Vier", "Fünf", "Sechs", "Sieben", "Acht", "Neun"],
    "ja": ["ゼロ", "ワン", "ツー", "スリー", "フォー", "ファイブ", "シックス", "セブン",
           "エイト", "ナイン"],
}  # fmt: skip


def agrees(person: Person) -> None:
    """Answers everything as the computer does: picks the label named next, and says yes."""
    plan = person.plan()
    for asked, named in zip(plan[::2], plan[1::2], strict=True):
        (label,) = [
            option
            for option in asked["options"]
            if option["label"] in named["prompt"] and option["value"] != "cant_tell"
        ]
        person.answer(asked, label["value"]).raise_for_status()
        person.answer(named, "yes").raise_for_status()


@on_sqlite
def test_people_of_every_language_count_alike(lab):
    translations = deepcopy(lab.version.config["translations"])
    for language, words in WORDS.items():
        named = {str(index): word for index, word in enumerate(words)}
        translations[language]["words"] |= named
    lab.change(translations=translations)
    for language in ("en", "de", "ja"):
        agrees(lab.participant(language=language))
    with lab.database.read() as s:
        ratings = export.ratings(s, "demo", judge=judge, score=score)
    buttons = set(ratings.loc[ratings["task"] == "label_nafc", "response_label"])
    assert buttons & set(WORDS["de"])
    assert buttons & set(WORDS["ja"])
    # Who agrees with everything fails the catch trials.
    main = ratings[ratings["trial_type"] == "main"]
    for outcome in ("chose_target", "said_plausible", "plausible_or_cant_tell"):
        values = main[outcome].dropna()
        assert values.all(), outcome
        assert len(values) == 3 * 20
    # Where the label named is impossible, whoever agrees is wrong, in any language.
    asked = ratings[(ratings["trial_type"] == "catch") & (ratings["task"] == "target_plausible")]
    honest = asked["shown_label_index"] == asked["true_label"]
    shares = {one.task: one.expected.value for one in attention(ratings)}
    assert shares == {
        "label_nafc": pytest.approx(honest.mean()),
        "target_plausible": pytest.approx(honest.mean()),
    }
    assert 0 < honest.mean() < 1
