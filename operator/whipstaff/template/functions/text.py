"""The text of a value, as sprig makes it."""

from whipstaff.golang import printf
from whipstaff.golang.values import GoObject, go_text


def to_text(value: object) -> str:
    """What `toString` gives: strings and bytes as they are, all else as %v prints it."""
    if type(value) is str:
        return value
    if isinstance(value, bytes):
        return go_text(value)
    return printf.show(value)


def to_texts(value: object) -> list[str]:
    """The members of a list as text, nils left out; of anything else, a list of its text alone."""
    if value is None:
        return []
    if isinstance(value, GoObject) and (inner := value.underlying()) is not None:
        value = inner
    if isinstance(value, list):
        return [item if type(item) is str else to_text(item) for item in value if item is not None]
    if isinstance(value, bytes):
        return [str(byte) for byte in value]
    return [to_text(value)]
