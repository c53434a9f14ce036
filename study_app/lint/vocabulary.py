"""What a text says, in English, German and Japanese, as far as the linter has to know it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache

from study_app.study import Study

LANGUAGES = ("en", "de", "ja")
"""The languages that the rules about texts can read."""

_ONES = {
    "en": "one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen",
    "de": "ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn "
    "fünfzehn sechzehn siebzehn achtzehn neunzehn",
}
_TENS = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety",
    "de": "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
}
_JOINED = {"en": "{ten}-{one}", "de": "{one}und{ten}"}
_DIGITS_JAPANESE = "一二三四五六七八九"


@cache
def _numbers() -> Mapping[str, int]:
    """Return numbers in words -> the number, below a hundred."""
    words = {"a": 1, "an": 1, "eine": 1, "einer": 1, "dreissig": 30}
    for language, joined in _JOINED.items():
        ones = _ONES[language].split()
        words |= {word: number for number, word in enumerate(ones, 1)}
        for number, ten in enumerate(_TENS[language].split(), 2):
            words[ten] = 10 * number
            for one, word in enumerate(ones[:9], 1):
                words[joined.format(ten=ten, one=word)] = 10 * number + one
    for number in range(1, 100):
        tens, one = divmod(number, 10)
        kanji = "" if tens < 2 else _DIGITS_JAPANESE[tens - 1]
        words[kanji + "十" * bool(tens) + (_DIGITS_JAPANESE[one - 1] if one else "")] = number
    return words


@cache
def _number() -> re.Pattern[str]:
    """Return the pattern of a number, in digits or words."""
    words = sorted(_numbers(), key=len, reverse=True)
    latin = "|".join(word for word in words if word.isascii() or word[0].isascii())
    kanji = "|".join(word for word in words if not (word.isascii() or word[0].isascii()))
    return re.compile(rf"\d+|\b(?:{latin})\b|(?:{kanji})")


def _value(word: str) -> int:
    return int(word[:9]) if word.isdecimal() else _numbers()[word]


_MINUTES = r"(?:-|\W{0,6})(?:min(?:ute)?|分(?!け|か|野|析|類|布))"
_HOURS = r"(?:-|\W{0,6})(?:hours?\b|Stunden?\b|時間)"
_HALF_AN_HOUR = r"half an hour|halbe Stunde|半時間"
_MOST = 20_000
"""Characters of a text that are read; nobody reads as many."""
_LONGEST_HOURS = 3
"""More are no study's length, but a time within which something can be done."""
_PICTURES = (
    r"\W{0,4}(?:(?!min|sec|sek)[\w’'-]{1,30}[*_ \n,]{1,9}){0,4}?"
    r"(?:pictures?\b|images?\b|photos?\b|photographs?\b|pairs?\b|groups?\b|presentations?\b"
    r"|bilder\w*\b|bildpaare\w*\b|fotos?\b|paare?\b|gruppen\b)"
)
_PICTURES_JAPANESE = r"\s*\**(?:枚|組|対|個の\S{0,6}(?:画像|写真|絵)|つの\S{0,6}(?:画像|写真|絵))"
_ENOUGH = re.compile(r"十分(?!間|程|ほど|くらい|ぐらい)")
"""十分 is "enough", and ten minutes only where it is told to be a time."""


def minutes_told(text: str) -> int | None:
    """Return the largest number of minutes that a text speaks of."""
    plain = _ENOUGH.sub("", _plain(text))
    told = _numbers_before(_MINUTES, plain)
    plain, halves = re.subn(_HALF_AN_HOUR, "", plain, flags=re.I)
    hours = _numbers_before(_HOURS, plain)
    told += [60 * each for each in hours if each <= _LONGEST_HOURS] + [30] * halves
    return max((each for each in told if each), default=None)


def pictures_told(text: str) -> list[int]:
    """Return the numbers of pictures, or of pairs and groups of them, that a text speaks of."""
    return _numbers_before(f"(?:{_PICTURES}|{_PICTURES_JAPANESE})", _plain(text))


def _numbers_before(pattern: str, plain: str) -> list[int]:
    """Return the numbers that stand before what a pattern matches."""
    follows = re.compile(pattern, re.I)
    return [
        _value(found[0]) for found in _number().finditer(plain) if follows.match(plain, found.end())
    ]


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text[:_MOST]).lower()


_TOPICS = {
    "attention checks": (
        r"attention|\bchecks?\b|known answer",
        r"aufmerksam|kontroll|bekannte antwort|antwort bekannt",
        r"注意|チェック|確認用|答えのわかって|正解のわかって",
    ),
    "a time limit": (
        r"second|quick|fast|soon",
        r"sekunde|schnell|rasch|zügig",
        r"秒|早く|速く|すぐ",
    ),
    "whom to contact": (
        r"\bcontact|\S@\S|\b(?:write|call|reach|ask|e-?mail) (?:to )?(?:us|me|the)\b"
        r"|\bquestions\W+to\b|https?://",
        r"kontakt|\S@\S|wenden sie sich|schreiben sie|ansprechpartner|rückfragen|https?://",
        r"連絡|問い合わせ|問合せ|\S@\S|https?://",
    ),
    "an ethics approval": (
        r"\bethic|\birb\b|review board|ethical",
        r"ethik",
        r"倫理",
    ),
    "what becomes of the data": (
        r"\bkept\b|\bstored?\b|\bsaved?\b|\bdata\b|publish|\bdeleted\b|anonym",
        r"gespeichert|\bdaten\b|veröffentlich|gelöscht|aufbewahrt|anonym",
        r"保存|データ|公表|公開|削除|匿名",
    ),
    "that one may stop or withdraw": (
        r"withdraw|\bstop\b|\bquit\b|\bleave\b|voluntary|at any time",
        r"zurücktreten|zurückziehen|aufhören|abbrechen|widerruf|freiwillig|jederzeit",
        r"取り消|取消|中止|撤回|辞退|任意|いつでも",
    ),
    "what you expect": (
        r"\bwe (?:expect|believe|predict|hope)\b|\bhypothes[ei]s\b|\bhardened\b|\bdefended\b"
        r"|\battack(?:s|ed)?\b|\brobust(?:ness)?\b",
        r"\bwir (?:erwarten|vermuten|glauben|hoffen)\b|hypothese|gehärtet|angriffe?\b|robust",
        r"仮説|予想して|期待して|攻撃|堅牢|頑健",
    ),
    "the answer": (
        r"\bsurely\b|\bobvious(?:ly)?\b|\bof course\b|\bclearly\b|\bclever\b|\bagree that\b"
        r"|n[’']t you\b|\bwouldn[’']t\b",
        r"\bsicherlich\b|\bnatürlich\b|\boffensichtlich\b|\bselbstverständlich\b|\bkluge?r?\b"
        r"|\bzustimmen\b|\bstimmen sie (?:mir |uns )?zu\b",
        r"もちろん|当然|明らか|きっと|賢い",
    ),
}
_ANY = {topic: re.compile("|".join(said), re.I) for topic, said in _TOPICS.items()}


def speaks_of(topic: str, text: str) -> str | None:
    """Return the words by which a text speaks of one of the topics; None where it does not."""
    found = _ANY[topic].search(unicodedata.normalize("NFKC", text[:_MOST]))
    return found[0] if found else None


def readable(tag: str) -> bool:
    """Say whether the linter can read a language."""
    return tag.lower().split("-")[0] in LANGUAGES


def readings(study: Study) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the texts of each language that the linter can read, with their place in the file."""
    if readable(study.language):
        yield "texts", study.texts.model_dump()
    for tag, there in study.translations.items():
        if readable(tag):
            yield f"translations.{tag}.texts", there.texts
