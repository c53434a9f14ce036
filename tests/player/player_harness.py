"""What the tests hold in their hands: the server, a study on it, the player in a page."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Locator, Page, TimeoutError

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]


class Server:
    """The test server in a process of its own, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.http = httpx.Client()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / ".streamlit").mkdir()
        config = "[browser]\ngatherUsageStats = false\n"
        (folder / ".streamlit" / "config.toml").write_text(config)

    def start(self) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, FOLDER / "serve.py", str(self._port), self._folder / "state"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdout=log, stderr=log
            )
        for _ in range(300):
            try:
                self.http.get(f"{self.url}/api/health").raise_for_status()
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError((self._folder / "log").read_text())

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()


class Study:
    """A study on the test server: its faults and what it has received."""

    def __init__(self, server: Server, name: str) -> None:
        self._http = server.http
        self._url = f"{server.url}/fake/{name}"
        self.name = name

    def set(self, **values: Any) -> None:
        self._http.post(self._url, json=values).raise_for_status()

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self._http.get(self._url).raise_for_status().json()
        return state

    @property
    def answers(self) -> list[str]:
        """The stored answers of the only participant, in the order they came."""
        (person,) = self.state["participants"].values()
        return [answer["answer"] for answer in person["answers"].values()]


class Player:
    """The player in one browser page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.host = page.locator("#plausibly-player")

    def find(self, selector: str) -> Locator:
        return self.host.locator(selector)

    def screen(self, name: str, timeout: float = 15_000) -> None:
        """Waits until a screen is shown."""
        self._reached(f"[data-screen={name}]", timeout)

    def start(self) -> None:
        """Consent and instructions, up to the first question."""
        self.find("#agree").click()
        self.find("#start").click()

    def ready(self, task: str | None = None) -> str:
        """Waits until a question takes answers; returns its trial id."""
        self._reached(f"[data-task={task}][data-accepting]" if task else "[data-accepting]")
        return self.host.get_attribute("data-accepting") or ""

    def press(self, key: str, task: str | None = None) -> None:
        """Answers the current question with a key and waits until it is locked."""
        trial = self.ready(task)
        self.page.keyboard.press(key)
        self.locked(trial)

    def locked(self, trial: str) -> None:
        """Waits until a trial does not take answers any more."""
        self._reached(f":not([data-accepting='{trial}'])")

    def _reached(self, condition: str, timeout: float = 15_000) -> None:
        # Quicker than expect(), which looks only every now and then.
        try:
            self.page.locator(f"#plausibly-player{condition}").wait_for(
                state="attached", timeout=timeout
            )
        except TimeoutError as error:
            raise AssertionError(self.host.evaluate("(host) => host.outerHTML")) from error

    def pair(self, label: str = "3", plausible: str = "y") -> None:
        """Answers both questions of a presentation."""
        self.press(label, "label_nafc")
        self.press(plausible, "target_plausible")
