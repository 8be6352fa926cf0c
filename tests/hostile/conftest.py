"""A guarded pool whose limits are small, so that hostile charts meet them soon."""

import re

import pytest
import pytest_asyncio

from tests.builders.hostile_charts import MEBIBYTE, Guard
from whipstaff.settings import Settings
from whipstaff.workers.pool import WorkerPool

WORKER_BYTES = 256 * MEBIBYTE
MAIN_BYTES = 16 * MEBIBYTE
NOT_FOR_PEOPLE = re.compile(r"Traceback|Error at |\.py\b|object at 0x|<class|line \d+, in ")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_pool():
    """One pool for the tests of a module: what one of them did harms no other."""
    pool = WorkerPool(
        Settings(
            worker_count=1,
            worker_memory_bytes=WORKER_BYTES,
            render_cpu_seconds=1.0,
            render_output_bytes=1 * MEBIBYTE,
        )
    )
    yield pool
    await pool.close()


@pytest_asyncio.fixture(loop_scope="module")
async def guard(shared_pool, tmp_path):
    """The pool under watch; whatever was done in it, the limits held and the next job works."""
    guard = Guard(shared_pool, tmp_path)
    yield guard
    assert await guard.still_works()
    assert guard.worker_bytes <= WORKER_BYTES
    assert guard.main_bytes <= MAIN_BYTES


@pytest.fixture
def refused(guard):
    """Await a job that must fail with this error, or one of these, and a text for people."""
    assert guard

    async def refuse(job, error, why):
        with pytest.raises(error, match=why) as caught:
            await job
        assert type(caught.value) in (error if isinstance(error, tuple) else (error,))
        assert len(caught.value.text) < 20_000
        assert not NOT_FOR_PEOPLE.search(caught.value.text)
        return caught.value

    return refuse
