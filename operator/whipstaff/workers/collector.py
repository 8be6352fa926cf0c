"""How often a process that renders looks for garbage."""

import gc

# Containers made and not freed, and how many times as often as the older ones are looked through.
# Trees and values are many that live; Python's own figures cost a tenth of a render.
_THRESHOLDS = 20_000, 5, 5


def relax() -> None:
    """Pass over what was made until now, and look for garbage less often."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
