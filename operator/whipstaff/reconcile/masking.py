"""Keep what Secrets hold out of errors: a template may print any value into its own."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from whipstaff.errors import OperatorError, from_record, to_record

MASK = "***"


@contextmanager
def masking(secrets: Collection[str]) -> Iterator[None]:
    """Mask each of these texts in an error of the inside."""
    try:
        yield
    except OperatorError as error:
        text = masked(error.text, secrets)
        if text == error.text:
            raise
        raise from_record({**to_record(error), "text": text}) from None


def masked(text: str, secrets: Collection[str]) -> str:
    """Return the text without the secrets, longer ones first: one may be part of another."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text
