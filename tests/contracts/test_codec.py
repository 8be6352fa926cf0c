"""What every Codec does: the fake that works in this process, and the pool."""

import base64
import random

import pytest

from tests.builders.releases import a_hook, a_revision
from tests.fakes.release_store import InProcessCodec
from whipstaff.errors import StorageCorrupt, StorageTooLarge
from whipstaff.release.revision import HookPhase, ReleaseStatus
from whipstaff.settings import Settings
from whipstaff.workers.pool import WorkerPool

SECRET = "sh.helm.release.v1.shop.v1"


@pytest.fixture(params=["fake", "pool"])
async def codec(request):
    if request.param == "fake":
        yield InProcessCodec()
        return
    pool = WorkerPool(Settings(worker_count=1))
    yield pool
    await pool.close()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="deployed"),
        pytest.param({"hooks": (a_hook(phase=HookPhase.RUNNING),)}, id="a hook under way"),
        pytest.param({"status": ReleaseStatus.UNINSTALLED, "deleted": "2026-01-01T00:00:00Z"}),
        pytest.param({"config": {}, "notes": "", "objects": (), "manifest": ""}, id="bare"),
        pytest.param({"config": {"größe": "<\u2028>", "n": [1, 1.5, None, True]}}, id="any text"),
    ],
)
async def test_a_revision_survives(codec, changes):
    revision = a_revision(**changes)
    assert await codec.decode(await codec.encode(revision), SECRET) == revision


async def test_labels_are_not_of_the_payload(codec):
    data = await codec.encode(a_revision(labels={"team": "a"}))
    assert (await codec.decode(data, SECRET)).labels == {}


async def test_garbage_is_corrupt_and_named(codec):
    with pytest.raises(StorageCorrupt) as refused:
        await codec.decode("H4sI", SECRET)
    assert refused.value.name == SECRET


async def test_what_does_not_fit_is_refused(codec):
    incompressible = base64.b64encode(random.Random(1).randbytes(2 << 20)).decode()
    with pytest.raises(StorageTooLarge):
        await codec.encode(a_revision(notes=incompressible))
