"""The demo study in a real browser, on the real server: from consent to the exported row."""

from __future__ import annotations

import csv
import io
import signal
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from live_server import PASSWORD, LiveServer
from PIL import Image
from player_page import READ_CANVAS, Player
from playwright.sync_api import BrowserContext, Error, Page, expect

from db import repository
from db.session import Database

NewContext = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def server(demo: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    made = LiveServer(demo.home, tmp_path_factory.mktemp("live"))
    yield made
    made.stop()
    assert made.process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in made.output


class Wire:
    """Everything that a page receives: bodies, headers and websocket frames."""

    def __init__(self, page: Page) -> None:
        self.received: list[bytes] = []
        self.pictures: dict[str, bytes] = {}
        self._responses: list[Any] = []
        page.on("response", lambda response: self._responses.append(response))
        page.on("websocket", lambda socket: socket.on("framereceived", self._frame))

    def _frame(self, payload: Any) -> None:
        self.received.append(payload if isinstance(payload, bytes) else payload.encode())

    def read(self) -> bytes:
        """Return all so far; Streamlit's own files, the same for every app, are left out."""
        for response in self._responses:
            if "/static/" in response.url or response.status in (204, 304):
                continue
            try:
                body = response.body()
            except Error:
                # A picture fetched ahead may end with the page that asked; the next asks again.
                assert "/s/" in response.url, response.url
                continue
            self.received += [body, repr(response.headers).encode()]
            if "/s/" in response.url:
                self.pictures[response.url] = body
        self._responses.clear()
        return b"\n".join(self.received)


def secrets_of(server: LiveServer) -> set[bytes]:
    """What must not reach the browser before the debrief, as it would be spelled."""
    database = Database(server.home / "study.db")
    with database.read() as s:
        version = repository.study(s, "demo")
        assert version is not None
        stimuli = repository.stimuli_of(s, version.id)
    database.close()
    words = {"gradient_penalty", "adversarial_training", "distillation", "tgsm", "fgsm",
             "random_sign", "true_label", "correct_option", "foil_policy", "impossible", "passport",
             "image_id", "condition", "whose mistakes people can"}  # fmt: skip
    for stimulus in stimuli:
        passport = stimulus.passport
        words |= {stimulus.stimulus_id, stimulus.image_id, stimulus.pixels_sha256}
        if passport["model"]:
            words |= {passport["model"]["id"], passport["model"]["weights_sha256"]}
    return {word.encode() for word in words}


def canvas_equals_picture(player: Player, wire: Wire) -> bool:
    """Whether what is on the canvas is one of the pictures received, pixel by pixel."""
    seen = bytes(player.page.evaluate(READ_CANVAS, 28)["grey"])
    wire.read()
    decoded = [np.asarray(Image.open(io.BytesIO(data))) for data in wire.pictures.values()]
    return any(seen == pixels.tobytes() for pixels in decoded)


def test_whole_study_by_keyboard(server: LiveServer, new_context: NewContext) -> None:
    page = new_context(viewport={"width": 1000, "height": 800}).new_page()
    wire = Wire(page)
    page.goto(f"{server.url}/take?study=demo")
    player = Player(page)
    player.screen("consent")
    player.start()

    given: list[str] = []

    def answer(key: str, value: str, task: str) -> None:
        player.press(key, task)
        given.append(value)

    for _ in range(2):
        for key, value, task in (
            ("x", "cant_tell", "label_nafc"),
            ("y", "yes", "target_plausible"),
        ):
            answer(key, value, task)
            expect(player.find(".feedback")).to_be_visible()
            player.press("Enter")
    player.between("practised")
    page.keyboard.press("Enter")

    for number in range(24):
        player.ready("label_nafc")
        assert canvas_equals_picture(player, wire)
        expect(player.host).to_have_attribute("data-rendering", "exact")
        digit = str(number % 10)
        if number == 5:
            # A double click answers one question, not the next as well.
            trial = player.ready("label_nafc")
            player.find(f".answers [data-value='{digit}']").dblclick()
            given.append(digit)
            player.locked(trial)
        else:
            answer(digit, digit, "label_nafc")
        if number == 11:
            trial = player.ready("target_plausible")
            expect(player.host).to_have_attribute("data-pending", "0")
            wire.read()
            page.reload()
            assert player.ready("target_plausible") == trial
            assert canvas_equals_picture(player, wire)
        if number == 23:
            before_the_debrief = wire.read()
        plausible = number % 2
        answer("yn"[plausible], ("yes", "no")[plausible], "target_plausible")

    player.screen("debrief")
    code = player.find(".code").inner_text()
    assert len(code) == 9
    for secret in secrets_of(server):
        assert secret not in before_the_debrief, secret
    assert b"tEXt" not in b"".join(wire.pictures.values())

    page.reload()
    player.screen("debrief")
    assert player.find(".code").inner_text() == code
    page.goto(f"{server.url}/take?study=demo")
    player.screen("visitor")  # whoever opens the link may be somebody else
    assert code not in player.host.evaluate("(host) => host.shadowRoot.innerHTML")
    player.find("#same-person").click()
    player.screen("debrief")

    out = server.home.parent / "export"
    server.run("export", "demo", "--format", "csv", "--out", str(out))
    rows = list(csv.DictReader((out / "ratings.csv").open()))
    assert len(rows) == len(given) == 52
    assert [row["response"] for row in rows] == given
    assert [int(row["trial_index"]) for row in rows] == list(range(52))
    assert len({row["row_id"] for row in rows}) == 52
    assert len({row["source_image_id"] for row in rows}) == 26
    assert {row["rendering"] for row in rows} == {"exact"}
    assert all(float(row["rt_ms"]) >= 200 for row in rows)


def test_the_researchers_page_shows_nothing_without_login_and_all_with_it(
    server: LiveServer, new_context: NewContext
) -> None:
    page = new_context(viewport={"width": 1200, "height": 1000}).new_page()
    wire = Wire(page)
    page.goto(f"{server.url}/researcher")
    expect(page.get_by_label("Password")).to_be_visible(timeout=15_000)
    everything = wire.read()
    assert b"Started" not in everything
    assert b"What do you see" not in everything
    assert page.request.get(f"{server.url}/api/export/demo.zip").status == 401

    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("That is not the password.")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Finished")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("Catch trials answered as expected")).to_be_visible()
    link = page.get_by_role("link", name="Download CSV")
    answer = page.request.get(server.url + (link.get_attribute("href") or ""))
    archive = zipfile.ZipFile(io.BytesIO(answer.body()))
    assert archive.read("demo/ratings.csv").count(b"\n") == 53

    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Password")).to_be_visible(timeout=15_000)


def test_a_wrong_link_gets_a_calm_page_and_creates_nobody(
    server: LiveServer, new_context: NewContext
) -> None:
    before = server.run("study", "status", "demo", "--json").stdout
    page = new_context().new_page()
    page.goto(f"{server.url}/take?study=demo#p={'0' * 32}")
    Player(page).screen("invalid")
    for path in ("/take?study=nope", "/take"):
        page.goto(server.url + path)
        page.reload()
        Player(page).screen("unknown")
    assert server.run("study", "status", "demo", "--json").stdout == before


def test_the_gallery_shows_other_images_than_the_live_study(
    server: LiveServer, new_context: NewContext
) -> None:
    page = new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(f"{server.url}/gallery")
    pictures = page.locator("img[src*='/g/']")
    expect(pictures.first).to_be_visible(timeout=15_000)
    assert pictures.count() > 20
    source = pictures.first.get_attribute("src") or ""
    key = source.split("/g/")[1].split("/")[0]
    database = Database(server.home / "study.db")
    with database.read() as s:
        version = repository.study(s, "demo")
        assert version is not None
        reserved = [x.passport["source"]["index"] for x in repository.stimuli_of(s, version.id)]
    database.close()
    for index in set(reserved):
        for path in (
            f"none/clean/{index}.png",
            f"gradient_penalty/tgsm/{index}.png",
            f"none/tgsm/{index}/input_gradient.png",
            f"none/tgsm/{index}.json",
        ):
            assert page.request.get(f"{server.url}/g/{key}/{path}").status == 404, path
    page.locator("a[href*='map?']").first.click()
    expect(page.get_by_text("SHA-256").first).to_be_visible(timeout=15_000)


def test_torch_was_never_loaded_although_every_page_was_visited(server: LiveServer) -> None:
    assert "streamlit" in server.libraries or "pandas" in server.libraries
    assert "libtorch" not in server.libraries


def test_people_go_on_after_the_server_was_killed(
    server: LiveServer, new_context: NewContext
) -> None:
    page = new_context().new_page()
    wire = Wire(page)
    page.goto(f"{server.url}/p/demo")
    player = Player(page)
    player.screen("consent")
    player.start()
    player.press("3", "label_nafc")
    expect(player.find(".feedback")).to_be_visible()
    server.stop(signal.SIGKILL)
    player.press("Enter")
    player.press("y", "target_plausible")
    server.start()
    wire.read()
    page.reload()
    player.press("4", "label_nafc")
    expect(player.find(".feedback")).to_be_visible(timeout=15_000)
    everything = wire.read()
    assert b"What do you see" in everything
    for secret in secrets_of(server):
        assert secret not in everything, secret
