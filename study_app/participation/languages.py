"""Which of a study's languages somebody reads, and in which direction."""

from __future__ import annotations

from collections.abc import Iterable

_LEFTWARDS = frozenset(
    "ar arc ckb dv fa he iw ji ks lrc mzn nqo pnb ps sd syr ug ur yi".split()  # noqa: SIM905
)
_LEFTWARDS_SCRIPTS = frozenset(("adlm", "arab", "hebr", "mand", "nkoo", "rohg", "syrc", "thaa"))


def accepted(header: str) -> list[str]:
    """Return the languages of an `Accept-Language` header, those that are liked best first.

    A single tag is such a header too. What is refused (`q=0`), cannot be read or is `*` is left
    out.
    """
    liked: list[tuple[float, str]] = []
    for part in header.split(","):
        tag, _, parameters = part.partition(";")
        quality = _quality(parameters)
        if quality > 0 and tag.strip() not in ("", "*"):
            liked.append((quality, tag.strip()))
    # Of equals the first: the sort is stable.
    return [tag for _, tag in sorted(liked, key=lambda each: -each[0])]


def first_offered(offered: Iterable[str], wanted: Iterable[str | None]) -> str | None:
    """Return the first language wanted that is offered: the same tag, else the same main language.

    Args:
        offered: BCP 47 tags.
        wanted: BCP 47 tags, the most wanted first; None counts for nothing.
    """
    known = list(offered)
    for tag in wanted:
        for fits in (str.lower, _main):
            for language in known:
                if tag and fits(language) == fits(tag):
                    return language
    return None


def direction(language: str) -> str:
    """Return in which direction a language is written: `ltr` or `rtl`, as HTML says it."""
    main, *further = language.lower().split("-")
    script = next((part for part in further if len(part) == 4), None)
    leftwards = script in _LEFTWARDS_SCRIPTS if script else main in _LEFTWARDS
    return "rtl" if leftwards else "ltr"


def _main(tag: str) -> str:
    return tag.partition("-")[0].lower()


def _quality(parameters: str) -> float:
    """The quality among a language's parameters; 1 without one, 0 if it is none."""
    for parameter in parameters.split(";"):
        name, equals, value = parameter.partition("=")
        if name.strip().lower() == "q" and equals:
            try:
                quality = float(value)
            except ValueError:
                return 0.0
            return quality if 0 <= quality <= 1 else 0.0
    return 1.0
