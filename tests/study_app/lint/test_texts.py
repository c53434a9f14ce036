"""What texts say is read in English, German and Japanese, and their placeholders are known."""

import time

import pytest
import yaml

from study_app import lint, study
from study_app.lint import vocabulary
from study_app.study import Study

DEMO = yaml.safe_load((study.BUILT_IN / "demo.yaml").read_text()) | {"analysis": None}


def found(rule, **changes):
    problems = lint.problems(Study(**{**DEMO, **changes}), list("0123456789"))
    return [(p.severity, p.place) for p in problems if p.rule == rule]


def translated(tag="de", texts=None, words=None):
    there = DEMO["translations"]["de"]
    changed = {**there, "texts": {**there["texts"], **(texts or {})},
               "words": {**there["words"], **(words or {})}}  # fmt: skip
    return {**DEMO["translations"], tag: changed}


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("about **three minutes**", 3), ("a 5-minute study", 5), ("25–30 minutes", 30),
        ("half an hour", 30), ("about an hour", 60), ("two to three minutes", 3),
        ("forty-five minutes", 45), ("You may withdraw within 24 hours.", None),
        ("etwa **drei Minuten**", 3), ("eine halbe Stunde", 30), ("fünfundzwanzig Minuten", 25),
        ("約**３分**です", 3), ("三分", 3), ("十五分ほど", 15), ("1時間", 60), ("十分間", 10),
        ("説明は十分です。", None), ("some time", None),
    ],
)  # fmt: skip
def test_minutes_are_read(text, minutes):
    assert vocabulary.minutes_told(text) == minutes


@pytest.mark.parametrize(
    ("text", "pictures"),
    [
        ("You will see **26 small pictures** and answer", [26]), ("29 pairs of images", [29]),
        ("forty-six small, noisy pictures", [46]), ("It takes 10 minutes. The pictures", []),
        ("Sie sehen **26 kleine Bilder**", [26]), ("sechsunddreißig Bildpaare", [36]),
        ("**26枚の小さな画像**", [26]), ("２６枚", [26]), ("二十六枚", [26]),
        ("3分です。画像は", []),
        ("You are 18 years old.", []),
    ],
)  # fmt: skip
def test_numbers_of_pictures_are_read(text, pictures):
    assert vocabulary.pictures_told(text) == pictures


@pytest.mark.parametrize(
    ("topic", "texts"),
    [
        ("attention checks", ["attention checks", "Aufmerksamkeitskontrollen", "注意力の確認"]),
        ("a time limit", ["within two seconds", "Antworten Sie schnell.", "2秒以内に"]),
        ("whom to contact", ["Contact: A. B.", "Bei Rückfragen: a@b.org", "お問い合わせ先"]),
        ("an ethics approval", ["approved by the ethics board", "Ethikkommission", "倫理委員会"]),
        ("what becomes of the data", ["What is kept:", "Was gespeichert wird:", "保存されるもの"]),
        ("that one may stop or withdraw",
         ["You can withdraw", "Sie können zurücktreten", "参加を取り消すことができ"]),
        ("what you expect", ["We expect that", "Wir erwarten, dass", "私たちの仮説は"]),
        ("the answer", ["Surely this is", "Das ist natürlich", "もちろん"]),
    ],
)  # fmt: skip
def test_topics_are_read_in_three_languages(topic, texts):
    assert len(texts) == len(vocabulary.LANGUAGES)
    assert all(vocabulary.speaks_of(topic, text) for text in texts)
    assert vocabulary.speaks_of(topic, "Bild picture 画像") is None


def test_reading_a_text_takes_no_time_that_grows_with_its_square():
    started = time.process_time()
    for text in (
        "十" * 200_000,
        "5 a a a " * 20_000,
        "one two three " * 10_000,
        "5" + "\n" * 90_000,
    ):
        vocabulary.minutes_told(text)
        vocabulary.pictures_told(text)
    assert time.process_time() - started < 10


def test_translated_consents_are_read_too():
    german = translated(texts={"consent": "Sie sehen **62 Bilder**. Das dauert etwa zehn Minuten."})
    place = "translations.de.texts.consent"
    assert found("duration", translations=german) == [("warn", place)]
    assert found("pictures_are_counted", translations=german) == [("warn", place)]
    assert ("hint", place) in found("consent_is_whole", translations=german)


def test_a_language_that_cannot_be_read_is_not_passed():
    assert found("readable_languages") == []
    french = {"fr": DEMO["translations"]["de"]}
    assert found("readable_languages", translations=french) == [("note", "translations.fr")]
    assert found("readable_languages", language="fr", translations={}) == [("note", "texts")]


def test_placeholders_are_known_wherever_there_are_texts():
    assert found("placeholders") == []
    texts = {**DEMO["texts"], "consent": "You are {right}.", "feedback_late": "{ given }"}
    assert found("placeholders", texts=texts) == [
        ("error", "texts.consent"), ("error", "texts.feedback_late")
    ]  # fmt: skip
    questions = [{"name": "label_nafc", "prompt": "Which {lable} fits?"}, DEMO["questions"][1]]
    assert ("error", "questions") in found("placeholders", questions=questions)
    item = {"name": "age", "kind": "number", "prompt": "How old is {label}?", "low": 18}
    (place,) = found("placeholders", screening={"items": [item]}, translations={})
    assert place == ("error", "questions")
    sure = [{"name": "accept_reject", "confidence": "It is {confidence} % sure."}]
    assert found("placeholders", questions=sure, translations={}) == []
    unsure = [{"name": "accept_reject", "accept": "Yes, {label}"}]
    assert found("placeholders", questions=unsure, translations={}) == [("error", "questions")]
    german = translated(texts={"feedback_wrong": "Richtig: {richtig}"})
    assert found("placeholders", translations=german) == [
        ("error", "translations.de.texts.feedback_wrong")
    ]
    prompt = DEMO["questions"][1]["prompt"]
    untold = translated(words={prompt: "Ein Computer hat etwas erkannt. Zu Recht?"})
    assert found("placeholders", translations=untold) == [("error", "translations.de.words")]
    wrong = translated(words={prompt: "Ein Computer hat {label} oder {labl} erkannt."})
    assert found("placeholders", translations=wrong) == [("error", "translations.de.words")]
