"""Where state lives and which secrets are set, from the environment."""

from __future__ import annotations

import os
import secrets
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

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
        url: PLAUSIBLY_URL, the address that people know the server by; see `public_url`.
    """

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    home: Path = Field(Path("plausibly-data"), validation_alias="PLAUSIBLY_HOME")
    database_url: SecretStr | None = Field(None, validation_alias="DATABASE_URL")
    password: SecretStr | None = Field(None, validation_alias="PLAUSIBLY_PASSWORD")
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
