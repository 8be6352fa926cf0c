"""Answers that are no success: a status of HTTP, and a sentence for whoever asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass(eq=False)
class Refusal(Exception):
    """Ends a request; chartmuseum's clients read the text under `error`."""

    status: HTTPStatus
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.text)


def not_found(text: str) -> Refusal:
    """There is no such thing."""
    return Refusal(HTTPStatus.NOT_FOUND, text)


def bad(text: str) -> Refusal:
    """What was sent is wrong."""
    return Refusal(HTTPStatus.BAD_REQUEST, text)


def conflict(text: str) -> Refusal:
    """There is one already."""
    return Refusal(HTTPStatus.CONFLICT, text)


def full() -> Refusal:
    """The repository has no room; the words are chartmuseum's."""
    return Refusal(HTTPStatus.INSUFFICIENT_STORAGE, "repo has reached storage limit")
