"""How many people a study carries, and whether anything is lost or doubled meanwhile.

    .venv/bin/python benchmarks/load.py [--people 200] [--no-browser]
    .venv/bin/python benchmarks/load.py --light 1000

A real server (`plausibly serve`) over a real SQLite file, and raw HTTP clients on the same machine
that keep to the player's rules. Three studies in a row, each on a fresh copy of the home:

- admission: everybody consents and is admitted at a random moment within 10 s, and all at once
- thinking: everybody answers 40 trials (20 presentations x 2 questions), 1 to 3 s between an
  acknowledgement and the next answer
- not thinking: the same, each answer as soon as the last one is acknowledged

After each, every acknowledged answer is looked up in the file. Then, in a real browser with the
server to itself: from an answer's input event to the next question's onset, by the player's own
record. The onset is the first animation frame by which it is certainly on the screen, so this is an
upper bound, by up to one frame.

With `--light` instead: so many people open the light page within a minute, each with an empty
cache: the document, the player's script, consent, admission, then 40 trials with their pictures, 1
to 3 s between an acknowledgement and the next answer. Nobody waits for the others.

Exit status 1 when an answer was lost or doubled, or one list got two people more than another.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests" / "support"))

from crowd import Home, Person, Tally, look_up, make_home, take_part  # noqa: E402
from live_server import LiveServer  # noqa: E402

from study_app import study as studies  # noqa: E402

TRIALS = 40
ARRIVAL_S = 10.0
THINK_S = (1.0, 3.0)
MINUTE_S = 60.0


def forty_trials() -> studies.Study:
    """The demo with 16 presentations of conditions, 2 of practice and 2 of catch."""
    demo = studies.load("demo")
    conditions = {label: c for label, c in demo.conditions.items() if c.show == "mistake"}
    return demo.model_copy(update={"name": "load", "conditions": conditions, "catch": 2})


def quantiles(seconds: Sequence[float]) -> str:
    """p50, p95, p99 and the largest, in milliseconds."""
    ranked = sorted(seconds)
    shown = [ranked[int(q * (len(ranked) - 1))] for q in (0.5, 0.95, 0.99, 1.0)]
    return " | ".join(f"{1000 * value:.0f}" for value in shown)


def cpu_seconds(server: LiveServer) -> float:
    """Processor time of the server so far."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(home: Home, folder: Path) -> Iterator[LiveServer]:
    """A server on a fresh copy of `home`."""
    folder.mkdir()
    server = LiveServer(home.folder, folder)
    try:
        yield server
    finally:
        server.stop()
        if "Traceback" in server.output:
            sys.exit(server.output)


def spread(server: LiveServer) -> tuple[int, int]:
    """Fewest and most people on a list."""
    with closing(sqlite3.connect(server.home / "study.db")) as file:
        lists = file.execute("SELECT list_index FROM participant WHERE list_index IS NOT NULL")
        counts = Counter(index for (index,) in lists).values()
    return min(counts), max(counts)


async def arrive(people: list[Person], within_s: float) -> list[float]:
    """Everybody consents and is admitted; how long each waited for both, in seconds."""

    async def one(person: Person) -> float:
        await asyncio.sleep(person.rng.uniform(0, within_s))
        began = time.perf_counter()
        await person.enter()
        waited = time.perf_counter() - began
        person.close()
        return waited

    return await asyncio.gather(*(one(person) for person in people))


def admission(home: Home, folder: Path, count: int, within_s: float) -> bool:
    """Print one row of the admission table; return whether the lists are even."""
    with served(home, folder) as server:
        people = home.people(server.port, 0, count)
        waited = asyncio.run(arrive(people, within_s))
        fewest, most = spread(server)
    when = f"within {within_s:.0f} s" if within_s else "at once"
    print(f"| {count} {when} | {quantiles(waited)} | {fewest} to {most} |", flush=True)
    return most - fewest <= 1


def responses(home: Home, folder: Path, count: int, think_s: tuple[float, float]) -> bool:
    """Print one row of the response table; return whether everything was found once."""
    with served(home, folder) as server:
        people = home.people(server.port, 0, count, think_s=think_s)
        tally = people[0].tally
        asyncio.run(arrive(people, ARRIVAL_S if think_s[1] else 0))
        before, began = cpu_seconds(server), time.perf_counter()
        asyncio.run(take_part(people))
        elapsed, used = time.perf_counter() - began, cpu_seconds(server) - before
        found = look_up(server.home / "study.db", people)
    think = f"{think_s[0]:.0f} to {think_s[1]:.0f} s" if think_s[1] else "none"
    answers = len(tally.ack_seconds)
    print(
        f"| {count} x {TRIALS} | {think} | {quantiles(tally.ack_seconds)} "
        f"| {answers / elapsed:.0f} | {1000 * used / answers:.2f} "
        f"| {found.acknowledged} | {found.once} | {found.lost} | {found.doubled} |",
        flush=True,
    )
    return found.once == found.acknowledged == count * TRIALS and not found.doubled


class Visitor(Person):
    """Somebody who comes by the light page, with nothing of it in their browser's cache."""

    _seen: frozenset[str] = frozenset()

    async def come(self) -> float:
        """Open the page, fetch the player's script; return how long both took, in seconds."""
        began = time.perf_counter()
        page = (await self.insist("GET", f"/p/{self.consent['study']}")).body.decode()
        script = re.search(r"/player/[0-9a-f]{64}\.js", page)
        await self.insist("GET", script.group() if script else "/player/script.js")
        return time.perf_counter() - began

    async def answer(self, trial: dict[str, Any]) -> None:
        """Look at the pictures, and answer."""
        for url in {image["url"] for image in trial["images"]} - self._seen:
            await self.insist("GET", url)
            self._seen |= {url}
        await super().answer(trial)


async def visit(people: list[Visitor], within_s: float) -> tuple[list[float], list[float]]:
    """Everybody comes and takes part; how long each waited for the page, and to be admitted."""

    async def one(person: Visitor) -> tuple[float, float]:
        await asyncio.sleep(person.rng.uniform(0, within_s))
        page = await person.come()
        began = time.perf_counter()
        await person.enter()
        waited = time.perf_counter() - began
        await person.take_part()
        person.close()
        return page, waited

    both = await asyncio.gather(*(one(person) for person in people))
    return [page for page, _ in both], [waited for _, waited in both]


def light(home: Home, folder: Path, count: int) -> bool:
    """Print what people meet who all come by the light page; return whether nothing was lost."""
    with served(home, folder) as server:
        tally = Tally()
        people = [
            Visitor(server.port, tally, random.Random(n), home.consent, think_s=THINK_S)
            for n in range(count)
        ]
        before, began = cpu_seconds(server), time.perf_counter()
        pages, waited = asyncio.run(visit(people, MINUTE_S))
        elapsed, used = time.perf_counter() - began, cpu_seconds(server) - before
        fewest, most = spread(server)
        found = look_up(server.home / "study.db", people)
    print("| of people | n | p50 | p95 | p99 | largest (ms) |\n|---|--:|--:|--:|--:|--:|")
    for what, seconds in (
        ("page and script", pages),
        ("consent and admission", waited),
        ("answers acknowledged", tally.ack_seconds),
    ):
        print(f"| {what} | {len(seconds)} | {quantiles(seconds)} |")
    print(
        f"\n{count} people within {MINUTE_S:.0f} s, {elapsed:.0f} s in all, "
        f"{tally.requests} requests, the server's processor busy for {used / elapsed:.0%}; "
        f"{tally.no_reply} without a reply, {tally.refused_503} times 503; {fewest} to {most} on a "
        f"list; {found.acknowledged} acknowledged, {found.once} found once, {found.lost} lost, "
        f"{found.doubled} doubled",
        flush=True,
    )
    return found.once == found.acknowledged == count * TRIALS and not found.doubled


def painted(home: Home, folder: Path) -> None:
    """Print how long a real browser takes from an answer to the next question on the screen."""
    from player_page import Player
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("install Debian's package chromium, or use --no-browser")
    same: list[float] = []
    next_picture: list[float] = []
    with served(home, folder) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for seed in range(3):
            page = browser.new_context(viewport={"width": 800, "height": 800}).new_page()
            page.goto(f"{server.url}/take?study={home.consent['study']}")
            player = Player(page)
            player.start()
            answer_all(player, random.Random(seed))
            page.context.close()
        browser.close()
        with closing(sqlite3.connect(server.home / "study.db")) as file:
            rows = file.execute(
                "SELECT participant_id, presentation_id, timing_json FROM response JOIN trial"
                " ON trial.id = trial_id WHERE position >= 4 ORDER BY participant_id, position"
            ).fetchall()
    for (person, showing, timing), (person2, showing2, timing2) in itertools.pairwise(rows):
        if person == person2:
            before, after = json.loads(timing), json.loads(timing2)
            on_screen = after["onset_ms"] - before["response_ms"]
            (same if showing == showing2 else next_picture).append(on_screen / 1000)
    print("\n| answer to next question painted (ms) | n | p50 | p95 | p99 | largest |")
    print("|---|--:|--:|--:|--:|--:|")
    print(f"| on the same picture | {len(same)} | {quantiles(same)} |")
    print(
        f"| with the next picture | {len(next_picture)} | {quantiles(next_picture)} |", flush=True
    )


def answer_all(player: Any, rng: random.Random) -> None:
    """From the first question to the debrief, by keyboard."""
    for number in range(TRIALS):
        task = ("label_nafc", "target_plausible")[number % 2]
        key = rng.choice("0123456789" if number % 2 == 0 else "yn")
        player.press(key, task)
        if number < 4:  # practice
            player.find(".feedback").wait_for()
            player.press("Enter")
        if number == 3:
            player.screen("practised")
            player.page.keyboard.press("Enter")
    player.screen("debrief")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--people", type=int, default=200, help="people at once (default: 200)")
    parser.add_argument("--no-browser", action="store_true", help="leave out what needs Chromium")
    parser.add_argument("--light", type=int, metavar="N", help="N people, by the light page")
    arguments = parser.parse_args()
    count = arguments.people
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "home").mkdir()
        home = make_home(folder / "home", forty_trials())
        load = os.getloadavg()[0]
        print(f"{os.cpu_count()} processors, load of the machine before: {load:.1f}\n")
        if arguments.light:
            sys.exit(0 if light(home, folder / "light", arguments.light) else 1)
        print(
            "| admission (consent, slot, plan; ms) | p50 | p95 | p99 | largest | people on a list |"
        )
        print("|---|--:|--:|--:|--:|--:|")
        good = admission(home, folder / "burst", count, ARRIVAL_S)
        good &= admission(home, folder / "once", count, 0)
        print(
            "\n| people x trials | think time | p50 | p95 | p99 | largest (ms) | responses/s "
            "| server ms each | acknowledged | found once | lost | doubled |"
        )
        print("|---" * 2 + "|--:" * 10 + "|")
        good &= responses(home, folder / "think", count, THINK_S)
        good &= responses(home, folder / "rush", count, (0.0, 0.0))
        if not arguments.no_browser:
            painted(home, folder / "browser")
    if not good:
        sys.exit(1)


if __name__ == "__main__":
    main()
