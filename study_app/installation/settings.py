"""Where state lives and which secrets are set, from the environment."""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from db.session import Database
from engine.artifacts import ArtifactStore
from engine.errors import PlausiblyError, UsageError

_OF_A_HOME = ("study.db", "artifacts", "secret.key")


def _switch(value: Any) -> Any:
    off = ("", "0", "no", "off", "false")
    return value.strip().lower() not in off if isinstance(value, str) else value


class Settings(BaseSettings):
    """The environment's part of the configuration.

    Attributes:
        home: PLAUSIBLY_HOME, the folder of all state: `study.db`, `artifacts/`, `secret.key`.
        database_url: DATABASE_URL, a database elsewhere than in `home`; see docs/database.md.
        shared: PLAUSIBLY_SHARED=1, other accounts of this machine may use `home`.
        password: PLAUSIBLY_PASSWORD, the researchers' password; without it one is generated.
        consents: PLAUSIBLY_CONSENTS, how many one address may give; see `consent_bounds`.
        url: PLAUSIBLY_URL, the address that people know the server by; see `public_url`.
    """

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    home: Path = Field(Path("plausibly-data"), validation_alias="PLAUSIBLY_HOME")
    database_url: SecretStr | None = Field(None, validation_alias="DATABASE_URL")
    shared: Annotated[bool, BeforeValidator(_switch)] = Field(
        False, validation_alias="PLAUSIBLY_SHARED"
    )
    password: SecretStr | None = Field(None, validation_alias="PLAUSIBLY_PASSWORD")
    consents: str = Field("400,2", validation_alias="PLAUSIBLY_CONSENTS")
    url: str | None = Field(None, validation_alias="PLAUSIBLY_URL")

    @cached_property
    def store(self) -> ArtifactStore:
        """The artifact store."""
        return ArtifactStore(self.home / "artifacts")

    def database(self) -> Database:
        """Open the database; nothing is touched yet.

        Raises:
            UsageError: DATABASE_URL is not an address of a database, or its driver is missing.
        """
        given = self.database_url.get_secret_value() if self.database_url else None
        try:
            return Database(given or self.home / "study.db")
        except ValueError as error:
            raise UsageError(f"DATABASE_URL cannot be used: {error}") from None
        except ImportError:
            raise UsageError(
                "DATABASE_URL names a PostgreSQL database, and its driver is not installed: "
                "pip install 'plausibly[postgres]'"
            ) from None

    def public_url(self) -> str | None:
        """Return the address that people know the server by, without a slash at its end, if set.

        Raises:
            UsageError: it is none, or one below another.
        """
        if self.url is None:
            return None
        try:
            parts = urlsplit(self.url)
            whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            whole = False
        if (
            not whole
            or parts.path.strip("/")
            or parts.query
            or parts.fragment
            or "@" in parts.netloc
        ):
            raise UsageError(
                f"PLAUSIBLY_URL is {self.url!r}; it must be scheme and host of the server, such as "
                "https://studies.example.org"
            )
        return f"{parts.scheme}://{parts.netloc}"

    def consent_bounds(self) -> tuple[int, float]:
        """Return how many consents one address may give at once, and how many per second then.

        Raises:
            UsageError: they are not two positive numbers.
        """
        try:
            at_once, per_second = self.consents.split(",")
            bounds = int(at_once), float(per_second)
        except ValueError:
            bounds = 0, 0.0
        if not (bounds[0] >= 1 and 0 < bounds[1] < math.inf):
            raise UsageError(
                f"PLAUSIBLY_CONSENTS is {self.consents!r}; it must be how many consents one "
                "address may give at once and how many per second then, such as 400,2"
            )
        return bounds

    def make_home(self) -> None:
        """Make the folder of all state, for its owner alone unless it is shared.

        Raises:
            PlausiblyError: it cannot be made.
        """
        try:
            self.home.mkdir(parents=True, exist_ok=True, mode=0o777 if self.shared else 0o700)
        except OSError as error:
            raise PlausiblyError(
                f"PLAUSIBLY_HOME {self.home} cannot be made: {error.strerror}"
            ) from None

    @contextmanager
    def private_if_new(self) -> Iterator[None]:
        """Narrow the home, if it was made within the block: by whoever stores the first thing."""
        new = not self.home.exists()
        try:
            yield
        finally:
            if new:
                self.narrow_home()

    def narrow_home(self) -> str | None:
        """Take the folder of all state from everybody but its owner, unless it is shared.

        Returns:
            A sentence where that was done, or cannot be done; else None. What is no home yet, and
            what belongs to all (`/tmp`), is left as it is.
        """
        if self.shared:
            return None
        try:
            mode = self.home.stat().st_mode
            made_here = any((self.home / name).exists() for name in _OF_A_HOME)
        except OSError:
            return None  # whoever needs it says so
        if not made_here or not mode & 0o077 or mode & stat.S_ISVTX:
            return None
        try:
            self.home.chmod(mode & 0o700)
        except OSError as error:
            return (
                f"Other accounts of this machine can read the answers in {self.home}, and that "
                f"could not be changed ({error.strerror}): have its owner run chmod 700, or set "
                "PLAUSIBLY_SHARED=1."
            )
        return (
            f"{self.home} could be read by other accounts of this machine and is yours alone now; "
            "PLAUSIBLY_SHARED=1 leaves it as it is."
        )
