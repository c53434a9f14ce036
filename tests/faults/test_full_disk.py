"""The disk fills up while people take part, and has room again later."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from crowd import Home, look_up, run, take_part
from live_server import LiveServer

from study_app.simulation.wire import Wire

PEOPLE = 6


class SmallDisk:
    """A file system of its own, where root may mount one; else a limit on the size of files."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self.folder.mkdir()
        self._filler = folder / "filler"
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
        self._mounted = (
            os.geteuid() == 0 and not subprocess.run(command, capture_output=True).returncode
        )

    def fill(self, server: LiveServer) -> None:
        """Leave no room for the database to grow, nor in the log that it writes first."""
        with closing(sqlite3.connect(server.home / "study.db", timeout=30)) as file:
            while file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                pass  # somebody was writing or reading
        if not self._mounted:
            self._limit(server, (server.home / "study.db-wal").stat().st_size)
            return
        with suppress(OSError), self._filler.open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(2**16))

    def clear(self, server: LiveServer) -> None:
        """Give the room back."""
        if self._mounted:
            self._filler.unlink()
        else:
            self._limit(server, resource.RLIM_INFINITY)

    def close(self) -> None:
        if self._mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def _limit(self, server: LiveServer, size: int) -> None:
        limits = (size, resource.RLIM_INFINITY)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def disk(tmp_path: Path, rounds: int) -> Iterator[SmallDisk]:
    made = SmallDisk(tmp_path / "disk", 64 + 2 * rounds)
    yield made
    made.close()


@pytest.fixture
def server(home: Home, disk: SmallDisk) -> Iterator[LiveServer]:
    made = LiveServer(home.folder, disk.folder)
    yield made
    made.stop()
    assert "Traceback" not in made.output, made.output


def test_full_disk(
    home: Home,
    disk: SmallDisk,
    server: LiveServer,
    rounds: int,
    publish_row: Callable[..., None],
) -> None:
    found, tallies = [], []
    for number in range(rounds):
        people = home.people(server.port, seed=number, count=PEOPLE)
        tally = people[0].tally

        async def scene(people=people, tally=tally, number=number) -> None:
            going_on = asyncio.create_task(take_part(people))
            await asyncio.sleep(random.Random(number).uniform(0, 0.5))
            disk.fill(server)
            while tally.refused_503 < 2 * PEOPLE:
                assert not going_on.done(), "the disk never was full"
                await asyncio.sleep(0.02)
            # Looking goes on: people see where they are, and pictures.
            wire = Wire(server.port)
            assert (await wire.request("GET", "/api/health")).status == 200
            somebody = next((p for p in people if p.acknowledged), None)
            if somebody:
                seen = await wire.request("GET", "/api/trials?from=0&n=1", somebody.token)
                assert seen.body["position"] == len(somebody.acknowledged)
                picture = seen.body["trials"][0]["images"][0]["url"]
                assert (await wire.request("GET", picture)).status == 200
            wire.close()
            held = look_up(server.home / "study.db", people)
            assert (held.lost, held.doubled) == (0, 0)
            disk.clear(server)
            await going_on

        run(scene())
        found.append(look_up(server.home / "study.db", people))
        tallies.append(tally)
    assert all(f.once == f.acknowledged == PEOPLE * 52 for f in found)
    assert not any(f.lost or f.doubled for f in found)
    publish_row("disk full", rounds, tallies, found)
