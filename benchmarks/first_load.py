"""How long somebody on a slow phone waits at each of a study's two doors, and for how many bytes.

    .venv/bin/python benchmarks/first_load.py [--fast]

A real server over the demo study, and Chromium with an empty cache: 360 x 640, 400 ms to the server
and back, 400 kbit/s, a quarter of this machine's speed (--fast: none of that). The bounds on
requests and bytes are a test's, tests/browser/test_two_doors.py; times are measured here alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT / "tests" / "support"), str(ROOT / "tests")]

from conftest import CHROMIUM_ARGS  # noqa: E402
from crowd import make_home  # noqa: E402
from live_server import LiveServer  # noqa: E402
from player_page import Player  # noqa: E402
from traffic import Traffic  # noqa: E402
from walker import PHONE  # noqa: E402

DOORS = ("/p/demo", "/take?study=demo")
SLOW = {
    "offline": False,
    "latency": 400,
    "downloadThroughput": 400_000 / 8,
    "uploadThroughput": 400_000 / 8,
}
FIRST_TEXT = """{
  const look = () => {
    if (document.body?.innerText.trim()) window.firstText = performance.now();
    else requestAnimationFrame(look);
  };
  look();
}"""


def first_load(browser: Browser, address: str, slow: bool) -> str:
    """Open a study up to its first question; return what it took, as a line of a table."""
    context = browser.new_context(**PHONE)
    page = context.new_page()
    traffic = Traffic(page)
    if slow:
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", SLOW)
        session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.add_init_script(FIRST_TEXT)
    began = time.monotonic()
    page.goto(address, wait_until="commit", timeout=200_000)
    player = Player(page)
    player.screen("consent", timeout=200_000)
    consent_s, before = time.monotonic() - began, traffic.bytes()
    requests, text_s = len(traffic.asked), page.evaluate("window.firstText") / 1000
    began = time.monotonic()
    player.start()
    player.reached("[data-accepting]", timeout=200_000)
    trial_s, further = time.monotonic() - began, traffic.bytes() - before
    context.close()
    return (
        f"{text_s:5.2f} s {consent_s:6.2f} s {requests:4} {before / 1000:6.0f} kB "
        f"{trial_s:6.2f} s {further / 1000:5.0f} kB"
    )


def main() -> None:
    """Measure both doors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fast", action="store_true", help="no throttling")
    slow = not parser.parse_args().fast
    print("door              first text, consent, requests, bytes; then the first question, bytes")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab, live = Path(folder, "lab"), Path(folder, "live")
        for made in lab, live:
            made.mkdir()
        server = LiveServer(make_home(lab).folder, live)
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=[*CHROMIUM_ARGS]
        )
        try:
            for door in DOORS:
                print(f"{door:17} {first_load(browser, server.url + door, slow)}", flush=True)
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
