"""One question of every layout, as the server would send it, with several pictures."""

from __future__ import annotations

from typing import Any

from study_app.forms import Choice, Comprehension, Demographics, Device, Item, Screening

TIE = {"value": "tie", "label": "No difference", "key": "="}


def options(*labels: str, values: str = "0123456789", keys: str = "1234567890") -> list[Any]:
    """Return an option a label."""
    triples = zip(values, labels, keys, strict=False)
    return [{"value": value, "label": label, "key": key} for value, label, key in triples]


QUESTIONS: dict[str, dict[str, Any]] = {
    "grid": {
        "layout": "grid",
        "prompt": "Which label fits this picture best?",
        "options": options("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse"),
        "pictures": 1,
    },
    "row": {
        "layout": "row",
        "prompt": "The computer says this. Do you agree?",
        "note": "The computer says: bird (87 % sure)",
        "captions": ["Picture", "Where it looked"],
        "options": options("Agree", "Disagree", keys="yn"),
        "pictures": 2,
    },
    "scale": {
        "layout": "scale",
        "prompt": "How well does the map explain the answer?",
        "ends": ["not at all", "very well"],
        "options": options("1", "2", "3", "4", "5", "6", "7"),
        "pictures": 2,
    },
    "words": {
        "layout": "scale",
        "prompt": "Was this picture changed?",
        "options": options(
            "No, surely", "No, probably", "No, a guess", "Yes, a guess", "Yes, probably",
            "Yes, surely",
        ),
        "ends": ["Surely not changed", "Surely changed"],
        "pictures": 1,
    },
    "detect": {
        "layout": "grid",
        "prompt": "Was this picture changed?",
        "options": options(
            "No, sure", "No", "No, unsure", "Yes, sure", "Yes", "Yes, unsure",
        ),
        "columns": 3,
        "pictures": 1,
    },
    "pictures": {
        "layout": "pictures",
        "prompt": "Which looks more like a cat?",
        "options": [*options("Left", "Right"), TIE],
        "pictures": 2,
    },
    "four": {
        "layout": "pictures",
        "prompt": "Which one explains the answer “bird”?",
        "options": options("A", "B", "C", "D", keys="abcd"),
        "pictures": 4,
    },
    "rank": {
        "layout": "rank",
        "prompt": "Which map explains the answer best? Put them in order, the best first.",
        "captions": ["A", "B", "C"],
        "pictures": 3,
    },
    "point": {
        "layout": "point",
        "prompt": "Where would you look first to name this picture?",
        "size": [28, 28],
        "pictures": 1,
    },
    "brush": {
        "layout": "brush",
        "prompt": "Which parts made you think so?",
        "cells": 7,
        "pictures": 2,
    },
    "text": {
        "layout": "text",
        "prompt": "What do you see, in your own words?",
        "max_length": 500,
        "required": True,
        "pictures": 1,
    },
    "survey": {
        "layout": "survey",
        "prompt": "Two questions about this picture",
        "pictures": 1,
        "items": [
            {
                "name": "natural", "kind": "scale", "prompt": "How natural does it look?",
                "options": [{"value": str(k), "label": str(k)} for k in range(1, 6)],
                "low": None, "high": None, "max_length": 2000, "required": True,
            },
            {
                "name": "why", "kind": "text", "prompt": "What struck you?", "options": [],
                "low": None, "high": None, "max_length": 100, "required": False,
            },
        ],
    },
}  # fmt: skip


def item(name: str, kind: str, prompt: str, **facts: Any) -> Item:
    """Return an item of a form; `options`: label by value."""
    options = [Choice(value=v, label=said) for v, said in facts.pop("options", {}).items()]
    return Item(name=name, kind=kind, prompt=prompt, options=options, **facts)


def screening(*items: Item, **facts: Any) -> dict[str, Any]:
    """Return a screening form as a stored study has it."""
    return Screening(items=items, **facts).model_dump(mode="json")


def demographics(*items: Item) -> dict[str, Any]:
    """Return a demographics form as a stored study has it."""
    return Demographics(items=items).model_dump(mode="json")


FORMS: dict[str, dict[str, Any]] = {
    "screening": screening(
        item("age", "number", "How old are you?", low=18, high=120),
        item("vision", "choice", "Is your sight normal, with glasses if you wear them?",
             options={"yes": "Yes", "no": "No", "unsure": "I am not sure"}, accept=["yes"]),
        device=Device(min_width=320, min_height=500),
        calibration=True,
    ),
    "comprehension": Comprehension(items=[
        item("task", "choice", "What will you be asked to do?",
             options={"say": "Say what I see", "fast": "Be as fast as I can"}, correct="say"),
    ]).model_dump(mode="json"),
    "demographics": demographics(
        item("used", "choices", "What do you use at work?", required=False,
             options={"computer": "A computer", "phone": "A phone", "other": "Something else"}),
        item("ease", "scale", "How easy was this?",
             options={"1": "1", "2": "2", "3": "3", "4": "4", "5": "5"}),
        item("remarks", "text", "Anything you want to tell us?", required=False),
    ),
}  # fmt: skip
