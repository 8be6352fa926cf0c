"""Charts that mean harm, and a watch over what they cost the process that reads them."""

import asyncio
import base64
import contextlib
import gzip
import json
import os
import random
from pathlib import Path

from tests.builders.charts import packed
from tests.builders.echo_chart import a_config_map, a_request, echo_archive

HEAD = "apiVersion: v2\nname: echo\nversion: 1.0.0\n"
OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"
CYCLE = '{{ $d := dict "a" 1 }}{{ $_ := set $d "d" $d }}'
MEBIBYTE = 1 << 20
_FORGET_PEAK = "5"  # to the kernel: the peak of resident memory is what is resident now


def a_chart(template="", **files):
    """Pack a chart of one template; further files by path, Chart.yaml among them."""
    return packed({"Chart.yaml": HEAD, "templates/x.yaml": template} | files, top="echo")


def laughs(depth=9, width=9):
    """A YAML table whose aliases stand for width ** depth members."""
    lines = ["a0: &a0 [1]"]
    lines += [
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]"
        for level in range(1, depth + 1)
    ]
    return "\n".join(lines) + "\n"


def incompressible(size):
    """Text of this many characters that gzip cannot do much about; the same each time."""
    return base64.b64encode(random.Random(1).randbytes(size * 3 // 4)).decode()


def a_stored_release(**record):
    """The value of the key `release` in a Secret, of a record that nobody checked."""
    whole = {"name": "shop", "version": 1, "namespace": "web", "info": {"status": "deployed"}}
    return base64.b64encode(gzip.compress(json.dumps(whole | record).encode())).decode()


async def nothing(*_question):
    """Find nothing in the cluster."""
    return {}


class Guard:
    """Runs hostile jobs in a pool, and measures its children and the process at hand."""

    def __init__(self, pool, folder):
        self.pool = pool
        self._folder = folder
        self.worker_bytes = 0
        self.main_bytes = 0

    async def render(self, template="", values=None, lookup=nothing, **files):
        """Render a chart of this template and these files (or a whole archive)."""
        data = template if isinstance(template, bytes) else a_chart(template, **files)
        request = a_request(self._folder, data, values=values)
        return await self.measure(self.pool.render(request, lookup))

    async def inspect(self, data):
        """Read an archive."""
        path = self._folder / "echo.tgz"
        path.write_bytes(data)
        return await self.measure(self.pool.inspect(path))

    async def measure(self, job):
        """Await a job; keep the most memory that children and the process at hand came to."""
        before = _status(os.getpid(), "VmRSS")
        _forget_peak()
        watch = asyncio.create_task(self._watch())
        try:
            return await job
        finally:
            self.main_bytes = max(self.main_bytes, _status(os.getpid(), "VmHWM") - before)
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    async def _watch(self):
        while True:
            for pid in self.pool.pids:
                self.worker_bytes = max(self.worker_bytes, _status(pid, "VmHWM"))
            await asyncio.sleep(0.01)

    async def still_works(self):
        """Render a harmless chart."""
        request = a_request(self._folder, echo_archive(), values={"objects": [a_config_map()]})
        return len((await self.pool.render(request, nothing)).objects) == 1


def _forget_peak():
    Path("/proc/self/clear_refs").write_text(_FORGET_PEAK, "ascii")


def _status(pid, field):
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(one.split()[1]) << 10 for one in lines if one.startswith(field)), 0)
