"""`plausibly study invite`: codes that each let one person in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import UsageError
from study_app.cli.database import opened, require_study
from study_app.cli.options import AsJson, print_json, say
from study_app.installation import Settings, tokens
from study_app.installation.key import require_key

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def invite(
    study: Annotated[str, typer.Argument(help="Name of a published study with invitations.")],
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many codes to make.")],
    url: Annotated[
        str | None,
        typer.Option(
            help="Address of the server, such as https://studies.example.org: whole links, which "
            "open the light page."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make invitations and print them, one a line. They are shown only now."""
    from db import repository
    from study_app.participation.doors import light_door
    from study_app.providers.invitation import PARAMETER
    from study_app.study import study_of

    settings = Settings()
    now = datetime.now(UTC)
    with opened() as database:
        with database.read() as s:
            version = require_study(s, study)
        provider = study_of(version).provider.name
        if provider != "invitation":
            raise UsageError(
                f"study {study!r} takes people from the provider {provider!r}; invitations need "
                "'provider: invitation' in its file"
            )
        key = require_key(settings, database)
        codes = [tokens.invitation_code() for _ in range(count)]
        hashes = [tokens.provider_id_hmac(key, study, provider, code) for code in codes]

        def add(s: Session) -> None:
            repository.add_invitations(s, study_name=study, code_hmacs=hashes, now=now)
            detail = {"study": study, "count": count}
            repository.audit(s, actor="command line", action="invite", detail=detail, now=now)

        database.write(add)
    start = f"{url.rstrip('/')}{light_door(study, f'{PARAMETER}=')}" if url else ""
    if as_json:
        print_json({"study": study, "invitations": [start + code for code in codes]})
    for code in codes if not as_json else ():
        say(start + code)
