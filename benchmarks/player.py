"""How long the player keeps a slow phone busy between an answer and the next question.

    .venv/bin/python benchmarks/player.py [--presentations 30] [--slower 4]

The player of the tests, in a page without Streamlit and against the made-up server, in Chromium: a
window of 360 x 640 CSS pixels with three device pixels each, the processor slowed down. Two
questions to each picture are answered by keys as soon as they take answers. From Chromium's own
trace: the tasks of the page's main thread between the first answer and the last, by the processor
time that they took (what else the machine does plays no part), and the answers' own records of how
long it was from an answer to the next onset.
"""

from __future__ import annotations

import argparse
import itertools
import json
import secrets
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "study_app" / "player")]

from fake_server import Server, Study  # noqa: E402
from player_page import Player  # noqa: E402

CHROMIUM = "/usr/bin/chromium"
SCREEN = {"viewport": {"width": 360, "height": 640}, "device_scale_factor": 3}
LONG_MS = 50.0


def traced(server: Server, study: Study, presentations: int, slower: int, trace: Path) -> None:
    """Answer everything in a browser that is traced."""
    token = secrets.token_hex(16)
    person = {"nonce": token, "state": "admitted", "answers": {}}
    study.set(practice=0, main=presentations, participants={token: person})
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(**SCREEN, is_mobile=True, has_touch=True).new_page()
        cdp = page.context.new_cdp_session(page)
        cdp.send("Emulation.setCPUThrottlingRate", {"rate": slower})
        page.goto(f"{server.url}/bare?study={study.name}#p={token}")
        player = Player(page)
        player.ready()
        browser.start_tracing(page=page, path=trace, categories=["devtools.timeline", "toplevel"])
        for number in range(presentations):
            player.pair(str(number % 10), "yn"[number % 2])
        browser.stop_tracing()
        player.screen("debrief", 60_000)
        browser.close()


def tasks_ms(trace: Path) -> list[float]:
    """Processor time of each task of the main thread between the first answer and the last."""
    events = [e for e in json.loads(trace.read_text())["traceEvents"] if e.get("ph") == "X"]
    calls = Counter((e["pid"], e["tid"]) for e in events if e["name"] == "FunctionCall")
    (page, _), *_ = calls.most_common(1)
    own = [e for e in events if (e["pid"], e["tid"]) == page]
    keys = [e["ts"] for e in own if e["name"] == "EventDispatch" and pressed(e)]
    return [
        e.get("tdur", 0) / 1000
        for e in own
        if e["name"] == "ThreadControllerImpl::RunTask" and min(keys) - 1000 <= e["ts"] <= max(keys)
    ]


def pressed(event: dict[str, Any]) -> bool:
    """Whether an event of the trace is a key going down."""
    return bool(event["args"].get("data", {}).get("type") == "keydown")


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presentations", type=int, default=30)
    parser.add_argument("--slower", type=int, default=4)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    server = Server(folder)
    server.start()
    try:
        study = Study(server, "benchmark")
        traced(server, study, chosen.presentations, chosen.slower, folder / "trace.json")
        timing = [body["timing"] for body in study.state["received"]]
    finally:
        server.kill()
    took = sorted(tasks_ms(folder / "trace.json"), reverse=True)
    waits = [
        later["onset_ms"] - before["response_ms"] for before, later in itertools.pairwise(timing)
    ]
    print(f"{len(timing)} answers, processor {chosen.slower} times slower")
    print(f"tasks of more than {LONG_MS:.0f} ms: {sum(ms > LONG_MS for ms in took)}")
    print(f"longest task: {took[0]:.0f} ms; all together: {sum(took) / 1000:.1f} s")
    print(f"answer to next onset: median {statistics.median(waits):.0f} ms")


if __name__ == "__main__":
    main()
