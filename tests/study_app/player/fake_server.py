"""The test server in a process of its own, and a study on it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]


class Server:
    """The test server in a process of its own, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.http = httpx2.Client()
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
            except httpx2.TransportError:
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
