"""What a page asks for and receives, as the browser counts it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page


@dataclass
class Traffic:
    """The requests of one page from here on, and their sizes.

    Attributes:
        page: not opened yet.
        asked: address by request.
        received: bytes by request, as they came, headers included.
        frames: letters of the messages through WebSockets.
    """

    page: Page
    asked: dict[str, str] = field(default_factory=dict)
    received: dict[str, int] = field(default_factory=dict)
    frames: int = 0

    def __post_init__(self) -> None:
        session = self.page.context.new_cdp_session(self.page)
        session.on("Network.requestWillBeSent", self._ask)
        session.on("Network.loadingFinished", self._receive)
        session.on("Network.webSocketFrameReceived", self._frame)
        session.send("Network.enable")

    def _ask(self, event: dict[str, Any]) -> None:
        url = event["request"]["url"]
        if url.startswith("http"):
            self.asked[event["requestId"]] = url

    def _receive(self, event: dict[str, Any]) -> None:
        self.received[event["requestId"]] = int(event["encodedDataLength"])

    def _frame(self, event: dict[str, Any]) -> None:
        self.frames += len(event["response"]["payloadData"])  # base64: a third too much

    def bytes(self) -> int:
        """Bytes so far, without pictures."""
        sizes = (
            size for key, size in self.received.items() if "/s/" not in self.asked.get(key, "")
        )
        return sum(sizes) + self.frames * 3 // 4
