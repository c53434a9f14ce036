"""What an error of somebody else's code says is never lost."""

import pytest
from tiny_run import order_of

from engine.artifacts import Recipe
from engine.errors import said
from engine.execution import worker
from engine.jobs import making


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("plain"), "ValueError: plain"),
        (
            RuntimeError("\n    Some tensors share memory:\n\n      a, b\n"),
            "RuntimeError: Some tensors share memory: a, b",
        ),
        (KeyError("name"), "KeyError: 'name'"),
        (ValueError(" \n"), "ValueError without a message"),
    ],
)
def test_the_message_is_one_line_with_all_of_it(error, expected):
    assert said(error) == expected


def test_without_a_message_the_place_stands_for_it():
    with pytest.raises(AssertionError) as raised:
        raise AssertionError from None
    assert said(raised.value).startswith(
        "AssertionError without a message, raised in test_engine_errors."
    )


def test_a_worker_tells_all_of_a_message_that_begins_with_a_new_line(monkeypatch, tmp_path):
    def fail(*_, **__):
        raise RuntimeError("\n   Some tensors share memory")

    monkeypatch.setattr(making, "run", fail)
    order = order_of(tmp_path, Recipe("model", {}))
    answer = worker.compute(order, "cpu", lambda _values: None)
    assert answer["message"] == "RuntimeError: Some tensors share memory"
