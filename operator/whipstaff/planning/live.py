"""Reading live objects, which may have any shape: what is not where it should be is absent."""

from whipstaff.release.revision import JsonObject

CAUSE_LIMIT = 300  # characters of someone else's message that a cause repeats


def group_and_kind(live: JsonObject) -> tuple[str, str]:
    """Return the API group, empty for the core, and the kind."""
    group, slash, _ = str(live.get("apiVersion", "")).rpartition("/")
    return group if slash else "", str(live.get("kind", ""))


def table(content: JsonObject, name: str) -> JsonObject:
    """Return a member that is a table, else an empty one."""
    value = content.get(name)
    return value if isinstance(value, dict) else {}


def items(content: JsonObject, name: str) -> list[object]:
    """Return a member that is a list, else an empty one."""
    value = content.get(name)
    return value if isinstance(value, list) else []


def number(content: JsonObject, *path: str, default: int = 0) -> int:
    """Return the whole number at a path, else the default."""
    *tables, name = path
    for each in tables:
        content = table(content, each)
    value = content.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def conditions(live: JsonObject) -> list[JsonObject]:
    """Return the conditions in status."""
    return [item for item in items(table(live, "status"), "conditions") if isinstance(item, dict)]


def condition(live: JsonObject, kind: str) -> JsonObject:
    """Return the condition of that type, empty if there is none."""
    return next((item for item in conditions(live) if item.get("type") == kind), {})


def said(source: JsonObject, otherwise: str) -> str:
    """Repeat what a controller says, on one line."""
    for field in ("message", "reason"):
        text = source.get(field)
        if isinstance(text, str) and text.strip():
            return cut(" ".join(text.split()))
    return otherwise


def cut(text: str) -> str:
    """Shorten what someone else says to CAUSE_LIMIT characters."""
    return text if len(text) <= CAUSE_LIMIT else text[: CAUSE_LIMIT - 1] + "…"
