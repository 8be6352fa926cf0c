"""A stored release as text or JSON: what `helm status` and `helm get all` print of it."""

from collections.abc import Iterator

from whipstaff.cli import colours
from whipstaff.cli.moments import ANSIC, moment
from whipstaff.cli.printing import as_yaml, echo, harmless, write
from whipstaff.golang.values import StructFields
from whipstaff.release.revision import JsonObject
from whipstaff.release.stored import NEVER, StoredRelease, table

_INFO = ("first_deployed", "last_deployed", "deleted", "description", "status", "notes")
_HOOK = (
    *("name", "kind", "path", "manifest", "events", "last_run", "weight"),
    *("delete_policies", "output_log_policies"),
)


def tell_head(one: StoredRelease) -> None:
    """Print what is always told of a release, up to its description."""
    echo(f"NAME: {one.name}\n")
    if one.last_deployed:
        echo(f"LAST DEPLOYED: {moment(one.last_deployed).format(ANSIC)}\n")
    write(f"NAMESPACE: {colours.namespace(harmless(one.namespace))}\n")
    write(f"STATUS: {colours.status(harmless(one.status))}\n")
    echo(f"REVISION: {one.number}\n")


def tell(
    one: StoredRelease, objects: dict[str, list[JsonObject]], *, with_notes: bool = True
) -> None:
    """Print a release and its objects."""
    tell_head(one)
    lines = [f"DESCRIPTION: {one.description}"]
    if objects:
        from whipstaff.cli.live_objects import sections  # noqa: PLC0415 - `status` alone has them

        lines += ["RESOURCES:", sections(objects)]
    lines += tests(one)
    text = "".join(f"{line}\n" for line in lines)
    if one.description.casefold() == "dry run complete":
        text += f"HOOKS:\n{hooks(one)}MANIFEST:\n{one.manifest}\n"
    echo(text + (notes(one) if with_notes else ""))


def chart_lines(one: StoredRelease) -> Iterator[str]:
    """Yield what `get all` prints of the chart."""
    for label, fact in (("CHART", "name"), ("VERSION", "version"), ("APP_VERSION", "appVersion")):
        yield f"{label}: {one.chart_metadata.get(fact) or ''}"


def tests(one: StoredRelease) -> Iterator[str]:
    """Yield how the chart's tests ended when they ran last."""
    hooks = test_hooks(one)
    if not hooks:
        yield "TEST SUITE: None"
    for hook in hooks:
        run = table(hook.get("last_run"))
        started, completed = run.get("started_at"), run.get("completed_at")
        facts = {"name": hook.get("name", ""), "phase": run.get("phase", "")}
        if _is_set(started):
            yield from test_lines({**facts, "started": started, "completed": completed})


def test_lines(one: JsonObject) -> Iterator[str]:
    """Yield how one test ended, from the form in which status tells of it."""
    yield f"TEST SUITE:     {one.get('name', '')}"
    yield f"Last Started:   {moment(one.get('started') or '').format(ANSIC)}"
    yield f"Last Completed: {moment(one.get('completed') or '').format(ANSIC)}"
    yield f"Phase:          {one.get('phase', '')}"


def test_hooks(one: StoredRelease) -> list[JsonObject]:
    """Return the hooks that are tests, as they are stored."""
    return [hook for hook in one.hooks if "test" in _events(hook)]


def _events(hook: JsonObject) -> list[object]:
    found = hook.get("events")
    return found if isinstance(found, list) else []


def hooks(one: StoredRelease) -> str:
    """Return the hooks as documents of YAML."""
    return "".join(
        f"---\n# Source: {hook.get('path', '')}\n{hook.get('manifest', '')}\n" for hook in one.hooks
    )


def computed(one: StoredRelease) -> JsonObject:
    """Return the user's values over the chart's own, as the templates had them."""
    from whipstaff.chart.record import computed_values  # noqa: PLC0415 - few commands compute

    return computed_values(one.chart, one.config)


def values(one: StoredRelease) -> str:
    """Return the values of a release, given and computed, as `get all` prints them."""
    given = as_yaml(one.config)
    return f"USER-SUPPLIED VALUES:\n{given}\nCOMPUTED VALUES:\n{as_yaml(computed(one))}\n"


def notes(one: StoredRelease) -> str:
    """Return the notes of a release as `status` prints them."""
    return f"NOTES:\n{one.notes.strip()}\n" if one.notes else ""


def record(one: StoredRelease, resources: dict[str, list[JsonObject]]) -> StructFields:
    """Return the release without its chart, as helm prints it in JSON."""
    info = _fields(one.info, _INFO)
    for name in _INFO[:3]:
        if info.get(name) == NEVER:
            del info[name]
    if resources:
        info["resources"] = resources
    facts: dict[str, object] = {
        "name": one.name,
        "info": info,
        "config": one.config,
        "manifest": one.manifest,
        "hooks": [_hook(hook) for hook in one.hooks],
        "version": one.number,
        "namespace": one.namespace,
        "apply_method": one.record.get("apply_method"),
    }
    return StructFields({name: fact for name, fact in facts.items() if fact})


def _hook(stored: JsonObject) -> StructFields:
    run = table(stored.get("last_run"))
    times = {name: run[name] for name in ("started_at", "completed_at") if _is_set(run.get(name))}
    last_run = StructFields({**times, "phase": run.get("phase") or ""})
    return _fields({**stored, "last_run": last_run}, _HOOK)


def _fields(stored: JsonObject, names: tuple[str, ...]) -> StructFields:
    return StructFields({name: stored[name] for name in names if stored.get(name)})


def _is_set(time: object) -> bool:
    return bool(time) and time != NEVER
