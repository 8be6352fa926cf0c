"""Charts for tests, packed or loaded from files by path."""

import gzip
import io
import tarfile

from whipstaff.chart import archive, loader
from whipstaff.chart.model import Chart, File

CHART_YAML = "apiVersion: v2\nname: {name}\nversion: 1.0.0\n"


def packed(files, top="demo"):
    """A tgz of these files (path to text or bytes) in the folder `top`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in files.items():
            add_file(tar, f"{top}/{path}", content)
    return gzip.compress(buffer.getvalue(), mtime=0)


def packed_raw(*members, trailing=b""):
    """A tgz of exactly these (name, content) pairs or TarInfo objects, in this order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                add_file(tar, *member)
    return gzip.compress(buffer.getvalue(), mtime=0) + trailing


def add_file(tar, name, content):
    """Add a regular file to an open archive."""
    data = content.encode() if isinstance(content, str) else content
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mtime = 1_700_000_000
    tar.addfile(info, io.BytesIO(data))


def a_chart(files=None, name="demo") -> Chart:
    """A chart of these files (path to text or bytes); Chart.yaml is made up unless given."""
    given = {"Chart.yaml": CHART_YAML.format(name=name), **(files or {})}
    listed = [
        File(path, content.encode() if isinstance(content, str) else content)
        for path, content in given.items()
    ]
    return loader.assemble(listed, archive.load)
