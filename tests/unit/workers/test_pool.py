import asyncio
import base64
import gzip
import json
import os
import signal
from dataclasses import replace

import pytest

from tests.builders.releases import a_revision
from tests.builders.sigstore_lab import ISSUER, SUBJECT, Sigstore
from whipstaff.errors import ChartSignatureInvalid, StorageCorrupt, WorkerLost
from whipstaff.helmrelease.types import OIDCIdentity
from whipstaff.release import codec
from whipstaff.settings import Settings
from whipstaff.workers.evidence import Trusted
from whipstaff.workers.pool import WorkerPool
from whipstaff.workers.process import Worker

SECRET = "sh.helm.release.v1.shop.v1"
DIGEST = "sha256:" + "ab" * 32


@pytest.fixture
async def pool():
    pool = WorkerPool(Settings(worker_count=1))
    yield pool
    await pool.close()


async def test_what_is_encoded_is_decoded_in_a_child(pool):
    revision = a_revision()
    assert await pool.decode(await pool.encode(revision), SECRET) == revision


async def test_who_signed_without_a_key_is_found_out_in_a_child(pool):
    sigstore = Sigstore()
    jo = OIDCIdentity(f"^{ISSUER}$", f"^{SUBJECT}$")
    trusted = Trusted(identities=(jo,), root=sigstore.trusted_root(), root_name="a root")
    signed, stranger = (
        json.dumps(sigstore.bundle(DIGEST, subject)).encode()
        for subject in (SUBJECT, "al@example.com")
    )
    await pool.verify_cosign(trusted, [], [stranger, signed], DIGEST)
    with pytest.raises(ChartSignatureInvalid, match=r"it is by al@example\.com"):
        await pool.verify_cosign(trusted, [], [stranger], DIGEST)


async def test_no_child_runs_before_the_first_job(pool):
    assert pool.pids == ()


async def test_one_child_does_job_after_job(pool):
    data = await pool.encode(a_revision())
    await pool.decode(data, SECRET)
    before = pool.pids
    await asyncio.gather(*(pool.decode(data, SECRET) for _ in range(5)))
    assert pool.pids == before


async def test_a_second_child_starts_only_when_two_jobs_meet():
    pool = WorkerPool(Settings(worker_count=2))
    data = await pool.encode(a_revision())
    await pool.decode(data, SECRET)
    await pool.decode(data, SECRET)
    assert len(pool.pids) == 1
    await asyncio.gather(*(pool.decode(data, SECRET) for _ in range(4)))
    assert len(pool.pids) == 2
    await pool.close()


async def test_an_error_of_the_child_is_raised_here_and_the_child_stays(pool):
    with pytest.raises(StorageCorrupt, match="illegal base64") as refused:
        await pool.decode("%%%", SECRET)
    assert refused.value.name == SECRET
    before = pool.pids
    await pool.decode(await pool.encode(a_revision()), SECRET)
    assert pool.pids == before


@pytest.mark.parametrize(
    ("manifest", "why"),
    [("a: b: c", "YAML parse error"), ("[]", "no Kubernetes object")],
)
async def test_a_stored_manifest_that_cannot_be_read_is_corrupt(pool, manifest, why):
    with pytest.raises(StorageCorrupt, match=why):
        await pool.decode(await pool.encode(a_revision(manifest=manifest)), SECRET)


async def test_a_child_that_was_killed_while_idle_is_replaced(pool):
    data = await pool.encode(a_revision())
    await pool.decode(data, SECRET)
    (pid,) = pool.pids
    os.kill(pid, signal.SIGKILL)
    assert await pool.decode(data, SECRET) == a_revision()
    assert pool.pids != (pid,)


async def test_a_job_that_loses_its_worker_twice_is_given_up(pool, monkeypatch):
    async def die(*_arguments):
        raise WorkerLost("died")

    monkeypatch.setattr("whipstaff.workers.process.Worker.run", die)
    with pytest.raises(WorkerLost, match="died"):
        await pool.decode("", SECRET)


async def test_a_child_that_uses_its_time_is_stopped_and_replaced():
    pool = WorkerPool(Settings(worker_count=1, render_cpu_seconds=0.05))
    record = codec.to_record(a_revision(hooks=()))
    record["manifest"] = "---\n".join(["kind: A\napiVersion: v1\nmetadata: {name: a}\n"] * 50_000)
    text = base64.b64encode(gzip.compress(json.dumps(record).encode())).decode()
    with pytest.raises(StorageCorrupt, match=r"shop\.v1 .*more than 0\.05 s of CPU time"):
        await pool.decode(text, SECRET)
    await pool.close()


async def test_a_cancelled_job_leaves_a_pool_that_works(pool, monkeypatch):
    begun = asyncio.Event()
    converse = Worker._converse

    async def told(*arguments):
        begun.set()
        return await converse(*arguments)

    monkeypatch.setattr(Worker, "_converse", told)
    data = await pool.encode(a_revision())
    task = asyncio.create_task(pool.decode(data, SECRET))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await pool.decode(data, SECRET) == a_revision()


async def test_a_gzip_bomb_harms_nobody(pool):
    bomb = base64.b64encode(gzip.compress(bytes(700 << 20), 1)).decode()
    with pytest.raises(StorageCorrupt, match="bytes inflated"):
        await pool.decode(bomb, SECRET)


async def test_labels_do_not_travel(pool):
    revision = replace(a_revision(), labels={"a": "b"})
    assert (await pool.decode(await pool.encode(revision), SECRET)).labels == {}


async def test_a_closed_pool_takes_no_job(pool):
    await pool.close()
    with pytest.raises(WorkerLost, match="stopped"):
        await pool.decode("", SECRET)


async def test_closing_leaves_no_process(pool):
    await pool.decode(await pool.encode(a_revision()), SECRET)
    (pid,) = pool.pids
    await pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
