"""What a browser measures of an answer and sends with it: each fact declared once.

The route that takes answers refuses a fact that is not declared here, or that cannot be; the export
has a column for each, described by the field. None is a fact that the browser did not know, or that
was not measured yet when the answer was given.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

# Wider than any honest clock: what is out of here has been made up, or is broken.
_Moment = Annotated[float, Field(ge=-1e15, le=1e15)]
Duration = Annotated[float, Field(ge=0, le=1e12)]
"""Milliseconds; a page may have been open for weeks."""
_Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
_CssPixels = Annotated[float, Field(ge=0, le=1e6)]
_Utc = Annotated[
    str,
    Field(pattern=r"^[+-]?\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$"),
]


class _Facts(BaseModel):
    """Facts of one kind; a fact that is not declared is refused by its name."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Timing(_Facts):
    """When an answer was given, and what happened since its question was shown."""

    rt_source: Literal["event"] | None = Field(
        None,
        description="What the reaction time was taken from; event: the answer's own input event",
    )
    onset_ms: _Moment | None = Field(
        None,
        description="Onset of the question on the browser's clock (milliseconds since the page was "
        "opened): the second animation frame after it was painted",
    )
    onset_error_ms: Duration | None = Field(
        None, description="Uncertainty of the onset in milliseconds"
    )
    first_ms: _Moment | None = Field(
        None,
        description="Milliseconds from the onset to the first thing done that counts; of a "
        "composed answer (ranking, brush, survey) earlier than rt_ms. A little below 0 where the "
        "browser was busy",
    )
    response_ms: _Moment | None = Field(
        None, description="Time of the answer on the same clock as onset_ms; empty: timed out"
    )
    exposure_ms: Duration | None = Field(
        None,
        description="How long the pictures were visible, in milliseconds; empty: until the answer",
    )
    shown_n: Annotated[_Count, Field(ge=1)] | None = Field(
        None,
        description="How often the question was shown on this device: more than once after a "
        "refresh",
    )
    frame_ms: Duration | None = Field(
        None, description="Median duration of an animation frame of this screen, in milliseconds"
    )
    redraw_n: _Count | None = Field(
        None,
        description="How often the pictures were painted anew while the question was shown, since "
        "the window or the pixel ratio had changed",
    )
    pixel_ratio_changes: _Count | None = Field(
        None,
        description="How often the pixel ratio changed while the question was shown: by a zoom, or "
        "a move to another screen",
    )
    hidden_ms: Duration | None = Field(
        None, description="Milliseconds that the page was hidden during the trial"
    )
    frozen_ms: Duration | None = Field(
        None,
        description="Milliseconds that the browser had frozen the page during the trial, to save "
        "power; empty: the browser does not tell",
    )
    stalled_ms: Duration | None = Field(
        None,
        description="Milliseconds of pauses longer than a second in which nothing ran in the page "
        "though it was in sight and not frozen, as when the device sleeps",
    )
    focus_lost_n: _Count | None = Field(
        None, description="How often the page lost the focus during the trial"
    )
    refused_n: _Count | None = Field(
        None,
        description="Presses that the player did not take between the answer before and this one: "
        "too early, too late, or bounced; empty: not counted then",
    )
    input: Literal["key", "touch", "mouse"] | None = Field(
        None, description="key, touch or mouse; empty: timed out"
    )
    started_utc: _Utc | None = Field(None, description="Onset by the participant's own clock, UTC")


class Display(_Facts):
    """How the pictures were shown when the answer was given; lengths are those of the first."""

    css_px: _CssPixels | None = Field(None, description="Side of the image as shown, in CSS pixels")
    device_pixel_ratio: Annotated[float, Field(gt=0, le=1000)] | None = Field(
        None, description="Device pixels per CSS pixel"
    )
    upscale_factor: Annotated[float, Field(ge=1, le=1e6)] | None = Field(
        None, description="Device pixels per stimulus pixel"
    )
    rendering: Literal["exact", "mismatch"] | None = Field(
        None,
        description="exact if the pixels read back from the screen's canvas were the stimulus, "
        "else mismatch",
    )
    window_w: _CssPixels | None = Field(None, description="Width of the window in CSS pixels")
    window_h: _CssPixels | None = Field(None, description="Height of the window in CSS pixels")
    color_scheme: Literal["light", "dark"] | None = Field(
        None,
        description="Colours of the page around the pictures, as the system asks for: light "
        "or dark",
    )
    forced_colors: bool | None = Field(
        None,
        description="Whether the system puts its own colours in place of the page's, for contrast",
    )
    contrast: Literal["no-preference", "more", "less", "custom"] | None = Field(
        None, description="Contrast that the system asks for: no-preference, more, less or custom"
    )
    translated: bool | None = Field(
        None,
        description="Whether the browser had put other words in place of the question's, as when "
        "it translates pages",
    )
