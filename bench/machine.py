"""The machine that a result was measured on, which is kept beside it."""

import os
import platform


def machine(**more: object) -> dict[str, object]:
    """Return what is told of the machine, and `more`: load and versions that matter."""
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        **more,
    }


def load() -> float:
    """How many processes wanted a core in the last minute, on the average."""
    return round(os.getloadavg()[0], 1)
