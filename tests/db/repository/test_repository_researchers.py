"""Logins, the audit log."""

import hashlib
from datetime import datetime, timedelta

import pytest

from db import repository as repo
from db.models import AuditEntry, Researcher, ResearcherSession

HASH = repo.hash_password("correct horse")


@pytest.fixture
def researcher(lab):
    return lab.database.write(
        lambda s: repo.set_password(s, name="ada", password_hash=HASH, now=lab.now)
    )


def login(lab, researcher, token="token", hours=1):
    lab.database.write(
        lambda s: repo.create_session(
            s,
            researcher_id=researcher.id,
            token_sha256=token,
            expires=lab.now + timedelta(hours=hours),
            now=lab.now,
        )
    )


def who(lab, token="token"):
    with lab.database.read() as s:
        return repo.find_session(s, token_sha256=token, now=lab.now)


def test_a_hash_is_salted_and_names_its_cost():
    assert HASH.startswith("scrypt$16384$8$1$")
    assert "correct horse" not in HASH
    assert repo.hash_password("correct horse") != HASH
    assert repo.password_matches("correct horse", HASH)
    assert not repo.password_matches("wrong horse", HASH)


def test_a_hash_made_at_another_cost_still_works():
    digest = hashlib.scrypt(b"correct horse", salt=b"salt", n=16, r=2, p=3, dklen=32)
    cheap = f"scrypt$16$2$3${b'salt'.hex()}${digest.hex()}"
    assert repo.password_matches("correct horse", cheap)
    assert not repo.password_matches("wrong horse", cheap)


def test_only_the_right_name_and_password_are_let_in(lab, researcher):
    with lab.database.read() as s:
        assert repo.check_password(s, name="ada", password="correct horse") == researcher
        assert repo.check_password(s, name="ada", password="wrong horse") is None
        assert repo.check_password(s, name="eve", password="correct horse") is None


def test_whether_anybody_can_log_in(lab):
    with lab.database.read() as s:
        assert not repo.has_researcher(s)
    lab.database.write(lambda s: repo.set_password(s, name="ada", password_hash=HASH, now=lab.now))
    with lab.database.read() as s:
        assert repo.has_researcher(s)


def test_a_login_ends_by_time_or_by_leaving(lab, researcher):
    login(lab, researcher)
    assert who(lab) == researcher
    assert who(lab, "other") is None
    lab.later(hours=1)
    assert who(lab) is None
    login(lab, researcher, "second")
    assert lab.count(ResearcherSession) == 1
    lab.database.write(lambda s: repo.delete_session(s, token_sha256="second"))
    assert who(lab, "second") is None


def test_a_new_password_ends_all_logins(lab, researcher):
    login(lab, researcher)
    lab.database.write(lambda s: repo.set_password(s, name="ada", password_hash="x", now=lab.now))
    assert who(lab) is None
    assert lab.count(Researcher) == 1


def test_the_audit_log_keeps_who_what_and_when(lab):
    lab.database.write(
        lambda s: repo.audit(s, actor="ada", action="export", detail={"rows": 3}, now=lab.now)
    )
    with lab.database.read() as s:
        (entry,) = s.query(AuditEntry).all()
        assert (entry.at, entry.actor, entry.action, entry.detail_json) == (
            lab.now,
            "ada",
            "export",
            '{"rows":3}',
        )


def test_times_without_a_zone_are_refused(lab):
    naive = datetime(2026, 11, 21)
    with pytest.raises(Exception, match="must carry a time zone"):
        lab.database.write(
            lambda s: repo.audit(s, actor="ada", action="export", detail={}, now=naive)
        )
