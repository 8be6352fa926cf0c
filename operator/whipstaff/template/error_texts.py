"""From Go's chain of errors to the text that Helm prints."""

from __future__ import annotations

import re

from whipstaff.template.execution import ExecError, TplError

_WARNING = re.compile(r"HELM_ERR_START(.*)HELM_ERR_END", re.DOTALL)
_EXECUTING = re.compile(
    r'executing "(?P<name>[^"]*)" at <(?P<context>.*?)>: (?P<message>.*)', re.DOTALL
)


def helm_text(error: ExecError) -> str:
    """The text that Helm prints for a failed template."""
    text = error.text
    tokens = text.split(": ", 2)
    warning = _WARNING.search(tokens[2])
    if warning:
        return f"execution error at ({tokens[1]}): {warning[1]}"
    places: list[str] = []
    current: Exception | None = error
    while current is not None:
        place = _traced(current)
        if place is None:
            return text
        if not places or places[-1] != place:
            places.append(place)
        current = current.cause if isinstance(current, ExecError) else None
    return "".join(places).strip()


def _traced(error: Exception) -> str | None:
    """One level of the chain in Helm's form; None where Helm gives up and prints the chain."""
    if isinstance(error, TplError):
        return None
    if isinstance(error, ExecError):
        # The rest of the chain is cut off below; its first words suffice.
        rest = error.cause
        text = error.head + (
            (rest.head if isinstance(rest, ExecError | TplError) else str(rest)) if rest else ""
        )
    else:
        text = str(error)
    if not text.startswith("template: "):
        return None
    remainder = text.removeprefix("template: ")
    if remainder.startswith("no template "):
        return f"{text}\n"
    location, found, after = remainder.partition(": executing ")
    if found:
        match = _EXECUTING.fullmatch("executing " + after)
        if match is None:
            return None
        message = match["message"].split(" template:", 1)[0]
        return _place(location, match["name"], match["context"], message)
    location, found, message = remainder.rpartition(": ")
    if not found:
        return None
    return f"{location}\n  {message.split(' template:', 1)[0]}\n"


def _place(location: str, name: str, context: str, message: str) -> str:
    text = f'{location}\n  executing "{name}" at <{context}>:\n    '
    return f"{text}{message}\n" if message else text
