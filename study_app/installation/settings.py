"""Where state lives and which secrets are set, from the environment."""

from __future__ import annotations

import math
import os
import secrets
from functools import cached_property
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from db.session import Database
from engine.artifacts import ArtifactStore
from engine.errors import PlausiblyError, UsageError


class Settings(BaseSettings):
    """The environment's part of the configuration.

    Attributes:
        home: PLAUSIBLY_HOME, the folder of all state: `study.db`, `artifacts/`, `secret.key`.
        database_url: DATABASE_URL, a database elsewhere than in `home`; see docs/database.md.
        password: PLAUSIBLY_PASSWORD, the researchers' password; without it one is generated.
        consents: PLAUSIBLY_CONSENTS, how many one address may give; see `consent_bounds`.
    """

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    home: Path = Field(Path("plausibly-data"), validation_alias="PLAUSIBLY_HOME")
    database_url: SecretStr | None = Field(None, validation_alias="DATABASE_URL")
    password: SecretStr | None = Field(None, validation_alias="PLAUSIBLY_PASSWORD")
    consents: str = Field("400,2", validation_alias="PLAUSIBLY_CONSENTS")

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

    def secret(self) -> bytes:
        """Return the installation's key for tokens and provider ids; made at first use.

        It lies in a file of its own, readable by the owner only, so that a copy of the database
        alone tells neither.
        """
        path = self.home / "secret.key"
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            draft = self.home / f".secret-{os.getpid()}-{secrets.token_hex(4)}"
            if not path.exists():
                draft.touch(mode=0o600)
                draft.write_text(secrets.token_hex(32))
                try:
                    # A link fails where a file is: two processes at once end with one key.
                    os.link(draft, path)
                except FileExistsError:
                    pass
                finally:
                    draft.unlink()
            key = path.read_text().strip()
            if len(key) < 32:
                raise PlausiblyError(f"{path} holds no key; restore it: links need it")
            return key.encode()
        except OSError as error:
            raise PlausiblyError(f"cannot use {path}: {error.strerror}") from None
