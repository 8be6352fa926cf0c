"""Buttons: each shows the edit that it will make, as YAML, and makes it once that is confirmed."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field, ValidationError

from whipstaff.gateway import models
from whipstaff.gateway.api import Parts, named_by, there
from whipstaff.gateway.callers import Caller
from whipstaff.gateway.once import Order
from whipstaff.gateway.pages import sessions
from whipstaff.gateway.pages.sheets import Sheets
from whipstaff.gateway.problems import bad
from whipstaff.gateway.releases import Named
from whipstaff.gateway.write_api import ACTIONS, done
from whipstaff.gateway.writing import DryRun, How
from whipstaff.release.revision import JsonObject

_ROOT = "/namespaces/{namespace}/releases/{name}/edits/{action}"


class Button(StrEnum):
    """What people may ask for."""

    ROLLBACK = "rollback"
    PIN = "pin"
    UNPIN = "unpin"
    APPROVE = "approve"
    SUSPEND = "suspend"
    RESUME = "resume"
    RECONCILE = "reconcile"


# What stands on the button, and what comes of it.
TEXTS = {
    Button.ROLLBACK: (
        "Roll back",
        (
            "The release goes back to this revision and stays there, whatever chart and values "
            "say, until the pin is taken away."
        ),
    ),
    Button.PIN: (
        "Pin",
        (
            "The release stays on the revision that runs: changes of chart and values wait until "
            "the pin is taken away."
        ),
    ),
    Button.UNPIN: ("Unpin", "The release follows its chart and values again."),
    Button.APPROVE: ("Approve", "What the plan says is done."),
    Button.SUSPEND: ("Suspend", "The operator begins nothing for this release any more."),
    Button.RESUME: ("Resume", "The operator looks after the release again."),
    Button.RECONCILE: (
        "Reconcile",
        "The operator looks at the release now; what failed is tried again at once.",
    ),
}


class Asked(models.Nothing):
    """What a button is about."""

    revision: models.Number | None = None
    digest: str = Field("", max_length=128)


def add_edits(
    app: FastAPI, parts: Parts, sheets: Sheets, asking: Callable[[Request], Awaitable[Caller]]
) -> None:
    """Add a page for each button."""
    asked = named_by(there(parts, Depends(asking)))
    actions = {action.name: action for action in ACTIONS}

    async def edited(named: Named, button: Button, given: JsonObject, dry_run: DryRun) -> Any:  # noqa: ANN401 - any JSON
        action = actions[button]
        body = _body(action.body, given)
        how = How(Order(), dry_run)
        return await done(parts, action, named, body, how)

    @app.get(_ROOT)
    async def shown(
        request: Request,
        named: Annotated[Named, asked],
        action: Annotated[Button, Path()],
        query: Annotated[Asked, Query()],
    ) -> Response:
        """Show an edit that nobody has made yet."""
        given = {"revision": query.revision, "digest": query.digest}
        told = await edited(named, action, given, DryRun.CLIENT)
        label, text = TEXTS[action]
        return sheets.form(
            request,
            "edit.html",
            told=told,
            label=label,
            text=text,
            given={key: value for key, value in given.items() if value},
            release=told["release"],
            base=f"namespaces/{named.namespace}/releases/{named.name}",
        )

    @app.post(_ROOT)
    async def confirmed(
        request: Request, named: Annotated[Named, asked], action: Annotated[Button, Path()]
    ) -> Response:
        """Make the edit, and show the release."""
        fields = await sessions.form(request)
        await edited(named, action, _typed(fields), DryRun.NONE)
        cluster = request.query_params.get("cluster", "")
        shown = {"done": str(action), **({"cluster": cluster} if cluster else {})}
        return RedirectResponse(f"../../{named.name}?{urlencode(shown)}", HTTPStatus.SEE_OTHER)


def _typed(fields: dict[str, str]) -> JsonObject:
    """Return the fields of a form as what they stand for; Problem(400)."""
    try:
        found = Asked.model_validate(fields)
    except ValidationError as error:
        raise bad("the form is not as it was given out") from error
    return {"revision": found.revision, "digest": found.digest}


def _body(model: type[BaseModel], given: JsonObject) -> BaseModel:
    """Return what an action is told; of what a page gives, that which is meant for it."""
    known = {key: value for key, value in given.items() if key in model.model_fields and value}
    try:
        return model.model_validate(known)
    except ValidationError as error:
        raise bad("the button is not told what it is about") from error
