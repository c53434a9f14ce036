"""What is said about people who are still taking part, and what is held back because of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from db.repository import Embargo


def people_sentence(embargo: Embargo) -> str:
    """Return how many people are under way, over all versions and stages."""
    count = embargo.under_way
    who = "Nobody is" if not count else "1 person is" if count == 1 else f"{count} people are"
    return f"{who} taking part in the study just now, over all versions."


def closed_sentences(embargo: Embargo) -> str:
    """Return what closing a study means for those under way and for its source images.

    Args:
        embargo: of the study, read after it was closed.
    """
    shared = f"those that it shares with {' and '.join(embargo.others)} are held back there"
    if embargo.under_way:
        who = "1 person" if embargo.under_way == 1 else f"{embargo.under_way} people"
        said = (
            f"{who} can still finish. Its source images stay out of the gallery until nobody has "
            f"answered anything for an hour: until {utc_minute(embargo)} if nobody does any more"
        )
    elif embargo.until:
        said = f"Its source images stay out of the gallery until {utc_minute(embargo)}"
    else:
        said = "Its source images may now appear in the gallery"
    return f"{said}{f'; {shared}' if embargo.others else ''}."


def utc_minute(embargo: Embargo) -> str:
    """Return when the study's own people hold nothing back any longer, to the next full minute."""
    if embargo.until is None:
        raise ValueError("nobody holds anything back")
    full = embargo.until + timedelta(minutes=1, microseconds=-1)
    return f"{full:%Y-%m-%d %H:%M} UTC"


def facts(embargo: Embargo) -> dict[str, Any]:
    """Return the same for programs: under_way, held_back_images, held_back_until, held_back_by."""
    until = embargo.until
    return {
        "under_way": embargo.under_way,
        "held_back_images": embargo.images,
        "held_back_until": None if until is None else until.isoformat(timespec="seconds"),
        "held_back_by": list(embargo.others),
    }
