"""What a scorer gets of every answer: read once, whoever asks and however many people answered."""

from dataclasses import replace
from functools import partial

import pandas as pd
from sqlalchemy import event
from stored_study import ratings, stimulus

from db import repository as repo
from db.export import Column


class Witness:
    """A scorer that keeps what it is given, and calls every answer by its number."""

    columns = (Column("number", "Int64", "Which answer", "outcome:number"),)

    def __call__(self, answers, table):
        self.answers, self.table = answers, table
        return pd.DataFrame({"number": pd.array(range(len(answers)), dtype="Int64")})


def asked_of(lab, version, *presentations):
    """What a scorer gets of somebody who saw `presentations`: (stimuli, labels named)."""

    def draw(arm, list_index, seed):
        return [
            repo.PlannedPresentation(
                stimulus_id=shown[0].stimulus_id, phase="main", role="main", condition="any",
                block=1, further=tuple(each.stimulus_id for each in shown[1:]),
                trials=tuple(
                    repo.PlannedTrial(task="ask", view={"layout": "row", "options": []},
                                      shown_label_index=label)
                    for label in named
                ),
            )
            for shown, named in presentations
        ]  # fmt: skip

    person, _ = lab.consent(version)
    lab.database.write(
        lambda s: repo.admit(s, participant_id=person.id, slots=lab.slots, draw=draw, now=lab.now)
    )
    for trial in lab.trials(person):
        lab.answer(person, trial.trial_id, values={"kept": trial.position})
    witness = Witness()
    with lab.database.read() as s:
        table = ratings(s, "demo", score=witness)
        pngs = [answered.png(len(answered.pictures) - 1) for answered in witness.answers]
    assert table["number"].tolist() == list(range(len(table)))
    assert [*witness.table.columns, "number"] == list(table.columns)
    assert "excluded" in witness.table
    return witness.answers, pngs


def test_the_label_that_a_presentation_asks_about_is_named_or_aimed_at(lab):
    adversarial, clean = lab.stimuli[0], lab.stimuli[1]
    version = lab.open()
    answers, pngs = asked_of(
        lab, version,
        ([clean], [None, 7]),  # the second question names it, also for the first
        ([adversarial], [None]),  # no question does: what the attack aims at
        ([clean], [None]),  # nothing aims at this image
        ([clean, adversarial], [None]),  # nor at the first picture's
    )  # fmt: skip
    assert [answered.asked_label for answered in answers] == [7, 7, 1, None, None]
    assert [answered.shown_label for answered in answers] == [None, 7, None, None, None]
    assert [answered.values["kept"] for answered in answers] == [0, 1, 2, 3, 4]
    assert [len(answered.pictures) for answered in answers] == [1, 1, 1, 1, 2]
    assert answers[4].pictures[1]["kind"] == "adversarial"
    assert pngs[4] == adversarial.png
    assert pngs[3] == clean.png
    assert answers[0].study == {"title": "Demo"}
    assert (answers[0].role, answers[0].condition) == ("main", "any")


def of_image(number, kind, target):
    """A stimulus made from the image of stimulus 1, which is clean."""
    made = stimulus(number)
    passport = made.passport_json.replace(stimulus(number).image_id, stimulus(1).image_id)
    old = '"target":null' if '"target":null' in passport else f'"target":{(number + 1) % 10}'
    passport = passport.replace(old, f'"target":{target}')
    return replace(
        made, stimulus_id=f"{number:064d}", image_id=stimulus(1).image_id, passport_json=passport
    )


def test_a_clean_picture_is_asked_about_what_every_attack_on_its_image_aims_at(lab):
    clean = lab.stimuli[1]
    one, again, other = of_image(4, "adversarial", 8), of_image(6, "adversarial", 8), of_image(
        8, "adversarial", 2)  # fmt: skip
    version = lab.open(stimuli=(*lab.stimuli, one, again))
    answers, _ = asked_of(lab, version, ([clean], [None]))
    assert answers[0].asked_label == 8
    version = lab.open(stimuli=(*lab.stimuli, one, other), content_sha256=lab.sha256("second"))
    answers, _ = asked_of(lab, version, ([clean], [None]))
    assert {answered.asked_label for answered in answers} == {8, None}


def test_each_stimulus_is_read_once_however_many_people_saw_it(lab):
    version = lab.open()
    count = partial(statements, lab)
    lab.finish(lab.admit(version))
    few = count()
    for _ in range(3):
        lab.finish(lab.admit(version))
    assert count() == few


def statements(lab):
    """How many statements the ratings take, with a scorer that looks at every picture."""

    class Looks(Witness):
        def __call__(self, answers, table):
            assert {answered.png(0)[:4] for answered in answers} == {b"\x89PNG"}
            return super().__call__(answers, table)

    sent = []

    def note(connection, cursor, statement, *rest):
        sent.append(statement)

    with lab.database.read() as s:
        engine = s.get_bind()
        event.listen(engine, "before_cursor_execute", note)
        try:
            ratings(s, "demo", score=Looks())
        finally:
            event.remove(engine, "before_cursor_execute", note)
    return len(sent)
