"""`--debug`, or `$HELM_DEBUG`: what a command asks for, and how long that takes; never a secret."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from whipstaff.cli.helm_flags import DEBUG, truth
from whipstaff.cli.helm_logs import log
from whipstaff.kube.direct import Exchange


def is_debugged() -> bool:
    """Whether a person wants to know more."""
    context = click.get_current_context(silent=True)
    if context is not None and DEBUG in context.meta:
        return bool(context.meta[DEBUG])
    return bool(truth(os.environ.get("HELM_DEBUG", "")))  # noqa: TID251 - helm's own variable


def told_of(exchange: Exchange) -> None:
    """Say what an API server was asked."""
    log(
        "DEBUG",
        "request",
        method=exchange.method,
        url=exchange.url,
        status=str(exchange.status),
        bytes=str(exchange.answer_bytes),
        milliseconds=_milliseconds(exchange.seconds),
    )


def ignore(exchange: Exchange) -> None:
    """Say nothing: nobody asks."""


@contextmanager
def timed(message: str, **facts: str) -> Iterator[None]:
    """Say how long something took, once it ended well."""
    began = time.monotonic()
    yield
    if is_debugged():
        log("DEBUG", message, **facts, milliseconds=_milliseconds(time.monotonic() - began))


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"
