"""Files that are named on the command line: some are pipes, or devices without an end."""

import errno
import os
from pathlib import Path
from typing import BinaryIO

BYTES_LIMIT = 128 << 20  # more than any chart, index or values file that Helm takes


def read(path: Path | str) -> bytes:
    """Return what is in a file; an OSError says that it is not there, or too large."""
    with Path(path).open("rb") as file:
        return read_stream(file, path)


def read_stream(stream: BinaryIO, name: Path | str) -> bytes:
    """Return what comes from a stream until its end."""
    data = stream.read(BYTES_LIMIT + 1)
    if len(data) > BYTES_LIMIT:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(name))
    return data
