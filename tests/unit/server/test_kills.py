"""A kill in the middle of uploads: what was acknowledged is there, and nothing is there by half."""

import asyncio
import hashlib
import os
import re
import signal
import sys
from contextlib import suppress

import aiohttp
import pytest
import yaml

from tests.builders.chart_servers import a_chart, a_form, a_provenance
from whipstaff.chart import archive

UPLOADS = 200
TOGETHER = 8
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


class Server:
    """`whipstaff serve`, as a process of its own."""

    def __init__(self, process, url):
        self.process = process
        self.url = url

    @classmethod
    async def start(cls, folder):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "whipstaff", "serve", "--repo-path", str(folder)),
            *("--address", "127.0.0.1:0", "--log-level", "warning"),
            stdout=asyncio.subprocess.PIPE,
            # What a kill leaves of uploads under way goes with the test's own folder.
            env={**os.environ, "TMPDIR": str(folder.parent)},
        )
        line = (await process.stdout.readline()).decode()
        return cls(process, re.search(r"http://\S+", line).group())

    async def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return await self.process.wait()


def sent(number):
    filling = "".join(hashlib.sha256(b"%d" % (number * 1000 + i)).hexdigest() for i in range(600))
    return a_chart(version=f"1.{number}.0", **{"templates/a_txt": filling})


@pytest.mark.parametrize("after", [5, 60, 140])
async def test_a_kill_during_uploads_leaves_whole_charts_and_an_index_of_them(tmp_path, after):
    folder = tmp_path / "charts"
    server = await Server.start(folder)
    acknowledged = set()
    killed = asyncio.Event()
    turns = asyncio.Semaphore(TOGETHER)

    async def upload(session, number):
        async with turns:
            if killed.is_set():
                return
            form = a_form(chart=sent(number), prov=a_provenance(version=f"1.{number}.0"))
            with suppress(aiohttp.ClientError):
                async with session.post(f"{server.url}/api/charts", data=form) as answer:
                    assert answer.status == 201
                    acknowledged.add(number)
            if len(acknowledged) >= after and not killed.is_set():
                killed.set()
                await server.end(signal.SIGKILL)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(upload(session, number) for number in range(UPLOADS)))
    assert len(acknowledged) >= after

    found = {file.name: file.read_bytes() for file in folder.glob("*.tgz")}
    for name, data in found.items():
        number = int(name.split(".")[1])
        assert data == sent(number), f"{name} is not what was sent"
        assert archive.load(data).metadata.version == f"1.{number}.0"
        assert (folder / f"{name}.prov").exists(), f"{name} came without its provenance"
    assert {f"demo-1.{number}.0.tgz" for number in acknowledged} <= set(found)

    server = await Server.start(folder)
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        async with session.get(f"{server.url}/index.yaml") as answer:
            entries = yaml.safe_load(await answer.read())["entries"]["demo"]
        listed = {f"demo-{entry['version']}.tgz": entry["digest"] for entry in entries}
        assert listed == {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
        for number in set(range(UPLOADS)) - acknowledged:
            form = a_form(chart=sent(number), prov=a_provenance(version=f"1.{number}.0"))
            async with session.post(f"{server.url}/api/charts", data=form) as answer:
                there = f"demo-1.{number}.0.tgz" in found
                assert answer.status == (409 if there else 201)
    assert await server.end() == 0


async def test_of_twenty_uploads_of_one_version_one_is_kept(tmp_path):
    folder = tmp_path / "charts"
    server = await Server.start(folder)

    async def upload(session, number):
        body = a_chart(extra=f"description: number {number}\n")
        async with session.post(f"{server.url}/api/charts", data=body) as answer:
            return answer.status, body

    async with aiohttp.ClientSession() as session:
        answers = await asyncio.gather(*(upload(session, number) for number in range(20)))
    kept = [body for status, body in answers if status == 201]
    assert sorted(status for status, _ in answers) == [201] + [409] * 19
    assert [(folder / "demo-1.0.0.tgz").read_bytes()] == kept
    assert await server.end() == 0


async def test_a_server_that_is_told_to_stop_ends_the_upload_under_way_first(tmp_path):
    server = await Server.start(tmp_path / "charts")
    begun = asyncio.Event()

    async def slowly():
        body = a_chart()
        yield body[:100]
        begun.set()
        await asyncio.sleep(0.5)
        yield body[100:]

    async with aiohttp.ClientSession() as session:
        async with asyncio.TaskGroup() as group:
            upload = group.create_task(session.post(f"{server.url}/api/charts", data=slowly()))
            await begun.wait()
            # Connections are taken in their order: once this one is, the upload's is.
            async with session.get(f"{server.url}/health") as answer:
                assert answer.status == 200
            ended = group.create_task(server.end())
        answer = upload.result()
        assert answer.status == 201
        await answer.release()
    assert ended.result() == 0
    assert (tmp_path / "charts" / "demo-1.0.0.tgz").exists()
