"""Times of stored releases as helm prints them."""

import time
from datetime import datetime, timedelta

from whipstaff.golang import timeparse
from whipstaff.golang.timefmt import RFC3339_NANO, GoTime, Zone

ANSIC = "Mon Jan _2 15:04:05 2006"
RFC3339 = "2006-01-02T15:04:05Z07:00"
_NEVER = "0001-01-01T00:00:00Z"


def moment(text: str) -> GoTime:
    """Read a stored time as Go does; an empty one, or what is no time, is the first of year 1.

    A time at this machine's own offset is in its zone, which has a name.
    """
    try:
        found = timeparse.parse_time(RFC3339_NANO, text or _NEVER)
    except ValueError:
        return timeparse.parse_time(RFC3339_NANO, _NEVER)
    if text.endswith(("Z", "z")) or not text:
        return found
    offset = datetime.fromisoformat(f"2000-01-01T00:00:00{text[-6:]}").utcoffset() or timedelta()
    seconds = int(offset.total_seconds())
    local = time.localtime(found.seconds)
    name = local.tm_zone if local.tm_gmtoff == seconds else ""
    return found.within(Zone(name, seconds))
