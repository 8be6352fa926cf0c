"""Times as the API server's types want them, from what a Clock says."""

from datetime import datetime


def micro_time(now: str) -> str:
    """Return a MicroTime, which has exactly six digits of a second."""
    return datetime.fromisoformat(now).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def unix_seconds(now: str) -> str:
    """Return whole seconds since 1970, as Helm's labels have them."""
    return str(int(datetime.fromisoformat(now).timestamp()))
