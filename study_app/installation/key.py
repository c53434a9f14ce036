"""The installation's secret key, and that it is the one that the database was used with.

Tokens and the hashes by which people from a provider are known again are made with it. With
another key everybody would be somebody new; so the database holds the key's fingerprint.
"""

from __future__ import annotations

import hmac
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from db import repository
from db.session import Database
from engine.errors import PlausiblyError, UsageError
from study_app.installation.settings import Settings

FILE = "secret.key"


def fingerprint(key: bytes) -> str:
    """Return what tells a key from every other and nothing about it: 32 hex digits."""
    return hmac.new(key, b"fingerprint", "sha256").hexdigest()[:32]


def require_key(settings: Settings, database: Database) -> bytes:
    """Return the installation's key; it is made when the database is first used with one.

    It lies in a file of its own, readable by the owner only, so that a copy of the database
    alone tells neither tokens nor provider ids.

    Raises:
        PlausiblyError: it is missing, or not the one that the database was used with.
    """
    path = settings.home / FILE
    found = read_key(path)
    with database.read() as s:
        known = repository.key_fingerprint(s)
        used = known is not None or repository.key_was_used(s)
    if found is None and used:
        raise PlausiblyError(_refused(database, f"that is not here: {path} is missing", path))
    key = found or _made(path, settings)
    if known is None:
        known = database.write(lambda s: _record(s, key))
    if known != fingerprint(key):
        raise PlausiblyError(_refused(database, f"and {path} is another one", path))
    return key


def replace_key(settings: Settings, database: Database) -> list[str]:
    """Go on with a new key where the right one is lost; return what that ends, in sentences.

    Raises:
        UsageError: the right key is here, or none was used yet.
    """
    path = settings.home / FILE
    found = read_key(path)
    with database.read() as s:
        known = repository.key_fingerprint(s)
        used = known is not None or repository.key_was_used(s)
        lost = repository.known_by_key(s)
    if not used or (found is not None and known in (None, fingerprint(found))):
        raise UsageError(
            "--new-key is for a database whose key is lost; this one has its key, or needs none yet"
        )
    now = datetime.now(UTC)
    if found is not None:
        path.rename(path.with_name(f"{FILE}.{now:%Y%m%dT%H%M%SZ}"))
    key = _made(path, settings)

    def record(s: Session) -> None:
        repository.set_key_fingerprint(s, fingerprint=fingerprint(key), now=now)
        repository.audit(s, actor="command line", action="new key", detail={}, now=now)

    database.write(record)
    return [
        "There is a new key. Browsers of people under way go on; what was made with the old key "
        "does not open any more:",
        *(
            f"  study {each.study}, {each.provider}: {_links(each.provider)} of {each.people} "
            f"{'person' if each.people == 1 else 'people'}"
            + (f", and {each.unused} invitations that nobody used yet" if each.unused else "")
            for each in lost
        ),
        "Who comes again from a provider is taken for somebody new. Make new invitations with "
        "'plausibly study invite'.",
    ]


def read_key(path: Path) -> bytes | None:
    """Return the key of a file; None where there is none.

    Raises:
        PlausiblyError: the file cannot be read, or holds no key.
    """
    try:
        key = path.read_text().strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise PlausiblyError(f"cannot use {path}: {error}") from None
    if len(key) < 32:
        raise PlausiblyError(f"{path} holds no key; restore it: links need it")
    return key.encode()


def _made(path: Path, settings: Settings) -> bytes:
    draft = path.with_name(f".secret-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        settings.make_home()
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32))
        try:
            # A link fails where a file is: two processes at once end with one key.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    except OSError as error:
        raise PlausiblyError(f"cannot use {path}: {error.strerror}") from None
    key = read_key(path)
    assert key is not None
    return key


def _record(s: Session, key: bytes) -> str:
    """Record a key's fingerprint, unless another process was first; return the one that counts."""
    known = repository.key_fingerprint(s)
    if known is None:
        known = fingerprint(key)
        repository.set_key_fingerprint(s, fingerprint=known, now=datetime.now(UTC))
    return known


def _links(provider: str) -> str:
    return "personal links" if provider == "invitation" else "ids"


def _refused(database: Database, what: str, path: Path) -> str:
    return (
        f"The database {database.where} was used with a secret key {what}. Put the {FILE} that "
        f"belongs to it at {path} (a copy made by 'plausibly backup' has it). With another key "
        "everybody who comes again would be somebody new, and personal links would be dead. "
        "If it is lost: plausibly serve --new-key"
    )
