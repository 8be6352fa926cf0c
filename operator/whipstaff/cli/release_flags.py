"""Helm's flags for how a release is changed, as the fields of a HelmRelease that say the same.

In Helm a flag counts for one command. A field stays, so that the next command takes back what one
before it set and it does not ask for itself; what others set, as Git may, stays.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from whipstaff.cli.helm_flags import Decorated, LooseOption
from whipstaff.cli.helm_logs import log
from whipstaff.golang.strconv import quote
from whipstaff.release.revision import JsonObject

WATCHER, LEGACY, HOOK_ONLY = "watcher", "legacy", "hookOnly"

_UNDONE: Mapping[str, Any] = {"remediateLastFailure": True}
_FIELDS: Mapping[str, tuple[str, Any]] = {
    "no_hooks": ("disableHooks", True),
    "disable_openapi_validation": ("disableOpenAPIValidation", True),
    "skip_schema_validation": ("disableSchemaValidation", True),
    "take_ownership": ("disableTakeOwnership", False),
    "rollback_on_failure": ("remediation", _UNDONE),
    "force_replace": ("force", True),
    "cleanup_on_fail": ("cleanupOnFail", True),
    "hook_only": ("disableWait", True),
}
_OF_ALL = frozenset({"disableHooks", "disableOpenAPIValidation", "disableWait"})
_OF_RELEASES = _OF_ALL | {"disableSchemaValidation", "disableTakeOwnership", "remediation"}
_FIELDS_OF = {
    "install": _OF_RELEASES,
    "upgrade": _OF_RELEASES | {"force", "cleanupOnFail"},
    "rollback": _OF_ALL | {"force", "cleanupOnFail"},
}
_DEPRECATED = {"--atomic": "--rollback-on-failure", "--force": "--force-replace"}


def blocks(
    actions: Sequence[str], flags: Mapping[str, Any], spec: JsonObject, ours: JsonObject
) -> JsonObject:
    """Return the fields of spec that flags change.

    `ours` is what we set in `spec` before. A block is returned whole.
    """
    asked = {**flags, "hook_only": flags["wait"] == HOOK_ONLY}
    found: JsonObject = {}
    for action in actions:
        before, set_before = spec.get(action) or {}, ours.get(action) or {}
        known = {name for name, _ in _FIELDS.values()}
        kept = {
            name: value
            for name, value in before.items()
            if name not in known or name not in set_before
        }
        now = {
            name: value
            for flag, (name, value) in _FIELDS.items()
            if asked.get(flag) and name in _FIELDS_OF[action]
        }
        if {**kept, **now} != before:
            found[action] = {**kept, **now}
    if flags["wait"] == LEGACY:
        found["waitStrategy"] = {"name": "legacy"}
    elif ours.get("waitStrategy"):
        found["waitStrategy"] = {"name": "poller"}
    if flags.get("history_max") is not None:
        found["maxHistory"] = flags["history_max"]
    return found


def flags_of(*names: str) -> Callable[[Decorated], Decorated]:
    """Add flags by their names, without dashes."""

    def decorate(command: Decorated) -> Decorated:
        for name in reversed(names):
            command = _FLAGS[name](command)
        return command

    return decorate


def check(flags: dict[str, Any]) -> None:
    """Refuse what helm refuses, and what says nothing but could be asked for; take aliases away."""
    for old, new in _DEPRECATED.items():
        if flags.pop(old.lstrip("-"), False):
            click.echo(f"Flag {old} has been deprecated, use {new} instead", err=True)
            flags[new.lstrip("-").replace("-", "_")] = True
    if flags.get("force_replace") and flags.get("force_conflicts"):
        raise click.ClickException(
            "if any flags in the group [force-replace force-conflicts] are set none of the others "
            "can be; [force-conflicts force-replace] were all set"
        )
    if flags.get("hide_secret") and not flags["dry_run"]:
        raise click.ClickException("hiding Kubernetes secrets requires a dry-run mode")


def _switch(name: str, what: str, **more: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - click's own
    return click.option(name, is_flag=True, help=what, **more)


def _wait(_: click.Context, __: click.Parameter, text: str) -> str:
    """Read how the operator is to wait; empty if nothing is said."""
    match text:
        case "" | "watcher" | "legacy" | "hookOnly":
            return text
        case LooseOption.ALONE:
            return WATCHER
        case "true" | "false":
            instead = WATCHER if text == "true" else HOOK_ONLY
            told = f"--wait={text} is deprecated (boolean value) and can be replaced with"
            log("WARN", f"{told} --wait={instead}")
            return instead
        case _:
            raise click.ClickException(
                f"invalid argument {quote(text)} for "
                f'"--wait" flag: invalid wait input {quote(text)}. '
                "Valid inputs are watcher, hookOnly, and legacy"
            )


def _server_side(_: click.Context, __: click.Parameter, text: str) -> str:
    if text == "false":
        raise click.ClickException(
            "--server-side=false: the operator applies objects server-side; leave the flag out"
        )
    if text in {"true", "auto", LooseOption.ALONE}:
        return text
    raise click.ClickException(
        f'invalid argument {quote(text)} for "--server-side" flag: it is true, false or auto'
    )


def _count(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    if re.fullmatch(r"[0-9]+", text):
        return int(text)
    raise click.ClickException(
        f'invalid argument {quote(text)} for "--history-max" flag: it is a whole number, 0 for all'
    )


_FLAGS: Mapping[str, Callable[[Any], Any]] = {
    "no-hooks": _switch("--no-hooks", "Run no hooks."),
    "disable-openapi-validation": _switch(
        "--disable-openapi-validation", "Take objects with fields that the cluster does not know."
    ),
    "skip-schema-validation": _switch(
        "--skip-schema-validation", "Do not hold the values against the chart's schema."
    ),
    "take-ownership": _switch("--take-ownership", "Take over objects that are another's."),
    "rollback-on-failure": _switch("--rollback-on-failure", "Undo what fails."),
    "atomic": _switch("--atomic", "The same, as Helm 3 called it.", hidden=True),
    "force-replace": _switch("--force-replace", "Replace objects as a whole."),
    "force": _switch("--force", "The same, as Helm 3 called it.", hidden=True),
    "force-conflicts": _switch("--force-conflicts", "Take fields over; it is always done."),
    "server-side": click.option(
        "--server-side",
        default="true",
        callback=_server_side,
        metavar="HOW",
        help="true or auto: objects are always applied server-side.",
    ),
    "server-side-switch": click.option(
        "--server-side",
        cls=LooseOption,
        default="true",
        callback=_server_side,
        help="Objects are always applied server-side.",
    ),
    "cleanup-on-fail": _switch("--cleanup-on-fail", "Delete new objects where it fails."),
    "history-max": click.option(
        "--history-max",
        default=None,
        envvar="HELM_MAX_HISTORY",
        callback=_count,
        metavar="NUMBER",
        help="Revisions that are kept; 0 for all.",
    ),
    "wait": click.option(
        "--wait",
        cls=LooseOption,
        default="",
        callback=_wait,
        metavar="HOW",
        help="watcher: until objects are ready, the default; legacy: as Helm 3; hookOnly: not.",
    ),
    "wait-for-jobs": _switch("--wait-for-jobs", "Wait for Jobs, too; it is always done."),
}
