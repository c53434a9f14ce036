"""Two processes on one database: what holds for one writer holds for both."""

import json
import subprocess
import sys
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

import db
from db import repository as repo
from db.models import Participant, Response
from db.session import Database

# Each process reads its orders, says that it is ready, and begins when the other is ready too.
WORKER = """
import json, sys
from datetime import datetime
from concurrent.futures import ThreadPoolExecutor
from db import repository as repo
from db.errors import RepositoryError
from db.session import Database

orders = json.loads(sys.stdin.readline())
database = Database(sys.argv[1])
now = datetime.fromisoformat(orders["now"])

def draw(arm, list_index, seed):
    trial = repo.PlannedTrial(task="label_nafc", view={"options": []})
    return [
        repo.PlannedPresentation(stimulus, "main", "main", "c", 1, (trial,))
        for stimulus in orders["stimuli"]
    ]

def admit(person):
    slots = [tuple(slot) for slot in orders["slots"]]
    done = database.write(
        lambda s: repo.admit(s, participant_id=person, slots=slots, draw=draw, now=now)
    )
    return [done.arm, done.list_index]

def answer(job):
    person, trial, event, value = job
    return database.write(
        lambda s: repo.record_response(
            s, participant_id=person, trial_id=trial, event_id=event, attempt=1, answer=value,
            answer_label=value, rt_ms=None, timing={}, display={}, now=now,
            completion_code=lambda: sys.argv[2],
        )
    ).status

def consent(nonce):
    return database.write(
        lambda s: repo.create_participant(
            s, study_version_id=orders["version"], now=now, given=repo.GivenConsent(
                token_sha256="token of " + nonce, nonce_sha256=nonce, provider="direct",
                provider_id=None, provider_id_hmac=None, language="en", consent_sha256="",
                consent_version="1", seed=1,
            ),
        )
    )[0].id

def upgrade(_):
    database.upgrade()

do = {"admit": admit, "answer": answer, "consent": consent, "upgrade": upgrade}
if orders["do"] != "upgrade":
    with database.read() as s:
        s.connection()
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(30) as pool:
    print(json.dumps(list(pool.map(do[orders["do"]], orders["with"]))))
database.close()
"""


def at_once(url, orders):
    """What two processes make of their orders, begun at the same moment."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, url, f"CODE{number}"],
            cwd=Path(db.__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    for process, order in zip(processes, orders, strict=True):
        print(json.dumps(order), file=process.stdin, flush=True)
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        print(file=process.stdin, flush=True)
    results = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    return results


def orders(lab, do, *lists, **more):
    stimuli = [row.stimulus_id for row in lab.stimuli]
    common = {"do": do, "now": lab.now.isoformat(), "slots": lab.slots, "stimuli": stimuli}
    return [{**common, **more, "with": each} for each in lists]


def test_sixty_people_admitted_by_two_processes_fill_the_slots_evenly(lab, database_url):
    version = lab.open()
    people = [lab.consent(version)[0].id for _ in range(60)]
    # Alone, each fills ten of the twenty slots twice: unaware of each other they do not end even.
    slots = [(arm, index) for arm in ("maps", "no maps") for index in range(10)]
    given = at_once(database_url, orders(lab, "admit", people[:30], people[30:], slots=slots))
    filled = Counter(map(tuple, chain(*given)))
    assert filled == dict.fromkeys(slots, 3)
    with lab.database.read() as s:
        assert repo.slot_counts(s, version.id, now=lab.now) == filled


def test_answers_sent_to_both_processes_are_stored_once(lab, database_url):
    version = lab.open()
    people = [lab.admit(version) for _ in range(6)]
    jobs = [
        (person.id, trial.trial_id, f"event of {trial.trial_id}", "3")
        for person in people
        for trial in lab.trials(person)
    ]
    # In opposite order: whoever waits for the other in the middle must not wait for ever.
    one, two = at_once(database_url, orders(lab, "answer", jobs, jobs[::-1]))
    assert [sorted(pair) for pair in zip(one, two[::-1], strict=True)] == [
        ["duplicate", "stored"]
    ] * len(jobs)
    assert lab.count(Response) == len(jobs) == 48
    with lab.database.read() as s:
        done = [repo.participant(s, person.id) for person in people]
    assert all(person.completion_code in ("CODE0", "CODE1") for person in done)


def test_of_two_answers_to_one_trial_one_is_refused(lab, database_url):
    person = lab.admit(lab.open())
    trials = [trial.trial_id for trial in lab.trials(person)]
    one, two = at_once(
        database_url,
        orders(
            lab,
            "answer",
            [(person.id, trial, f"one {trial}", "3") for trial in trials],
            [(person.id, trial, f"two {trial}", "4") for trial in trials],
        ),
    )
    assert [sorted(pair) for pair in zip(one, two, strict=True)] == [["refused", "stored"]] * 8
    assert lab.count(Response) == 8


def test_the_same_consent_sent_to_both_processes_is_one_person(lab, database_url):
    version = lab.open()
    nonces = [f"nonce {number}" for number in range(20)]
    one, two = at_once(
        database_url, orders(lab, "consent", nonces, nonces[::-1], version=version.id)
    )
    assert one == two[::-1]
    assert lab.count(Participant) == 20


@pytest.mark.parametrize("system", ["sqlite", "postgresql"])
def test_two_processes_that_start_at_once_make_one_database(system, request, tmp_path):
    if system == "sqlite":
        url = str(tmp_path / "study.db")
    else:
        url = request.getfixturevalue("postgres").new(template="template0")
    order = {"do": "upgrade", "with": [None], "now": "2026-11-21T10:20:30+00:00"}
    assert at_once(url, [order, order]) == [[None], [None]]
    database = Database(url)
    database.check()
    database.close()
