"""The player's script by HTTP: one address for one content, small and kept."""

import gzip
import hashlib

import pytest
from databases import on_sqlite

from study_app.player import player_script

pytestmark = on_sqlite  # nothing of it is stored


def test_the_script_is_kept_for_good(lab):
    answer = lab.client.get(player_script().address, headers={"Accept-Encoding": "identity"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == "text/javascript"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in answer.headers
    assert player_script().address == f"/player/{hashlib.sha256(answer.content).hexdigest()}.js"
    assert answer.content.endswith(b"}\n")
    assert b"export default function mount" in answer.content


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip", True),
        ("br;q=1.0, GZIP; q=0.8, *;q=0.1", True),
        ("br, zstd", False),
        ("gzip;q=0", False),
        ("", False),
    ],
)
def test_it_is_compressed_for_whom_takes_that(accepted, compressed, lab):
    url = f"{lab.client.base_url}{player_script().address}"
    with lab.client.stream("GET", url, headers={"Accept-Encoding": accepted}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding") == ("gzip" if compressed else None)
    assert int(answer.headers["content-length"]) == len(raw)
    assert (gzip.decompress(raw) if compressed else raw) == player_script().content


@pytest.mark.parametrize("name", ["0" * 64 + ".js", "main.js", "script/main.js", "..%2Fplayer.css"])
def test_any_other_address_holds_nothing(name, lab):
    answer = lab.client.get(f"/player/{name}")
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["error"] == "not_found"
