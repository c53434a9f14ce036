"""How people answer about the noise control of the same image and label."""

from __future__ import annotations

from typing import Any

import pandas as pd

SAME = ["study_version", "arm", "source_image_id", "asked_label"]
"""What a rating and the noise control that it is compared with have in common."""


def beyond_noise(ratings: pd.DataFrame, outcome: str) -> pd.Series[Any]:
    """Return each answer less the share who answered so about its noise control.

    That is a picture of the same source image, asked about the same label, whose disturbance aims
    at nothing. Its share is over the main trials of other people of the same version and arm that
    no rule excludes. NA where there is none, and for the controls themselves.

    Args:
        ratings: see `Combined.values`.
        outcome: name of a binary outcome.
    """
    said = ratings[outcome].astype("Float64")
    main = (ratings["trial_type"] == "main").fillna(False).astype(bool)
    control = main & (ratings["stimulus_kind"] == "control").fillna(False).astype(bool)
    counted = control & ~ratings["excluded"].astype(bool) & said.notna()
    noise = ratings.loc[counted, [*SAME, "participant_id"]].assign(said=said[counted], asked=1)
    whole, own = (_counts(noise, ratings, by) for by in (SAME, [*SAME, "participant_id"]))
    others = whole - own
    share = others["said"] / others["asked"].where(others["asked"] > 0)
    share.index = ratings.index
    return (said - share).where(main & ~control).astype("Float64")


def _counts(noise: pd.DataFrame, ratings: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return for each rating how many of `noise` are like it in `by`, and how many said so."""
    counted = noise.groupby(by, as_index=False)[["said", "asked"]].sum()
    return (
        ratings[by].merge(counted, how="left", on=by)[["said", "asked"]].astype("Float64").fillna(0)
    )
