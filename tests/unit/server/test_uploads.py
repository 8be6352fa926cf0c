"""Limits of what is sent: its size, its time, and the room that there is."""

import asyncio
import logging
import socket

import pytest

from tests.builders.chart_servers import a_chart, a_chart_server, a_form, a_provenance, put

SMALL = 64 << 10


async def in_pieces(*pieces, pause=None):
    for piece in pieces:
        yield piece
        if pause:
            await pause()


def too_much():
    return b"\x1f\x8b\x08" + bytes(SMALL)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(too_much, id="announced"),
        pytest.param(lambda: in_pieces(too_much()[:SMALL], b"more"), id="in pieces"),
        pytest.param(lambda: a_form(chart=too_much()), id="in a form"),
        pytest.param(lambda: a_form(chart=a_chart(), prov=too_much()), id="as provenance"),
        pytest.param(
            lambda: a_form(**{f"f{i}": too_much()[:-9] for i in range(4)}), id="in many files"
        ),
    ],
)
async def test_more_than_a_chart_may_have_is_refused(tmp_path, body):
    async with a_chart_server(tmp_path, chart_bytes=SMALL) as ask:
        answer = await ask.upload(body())
        assert answer.status == 413
        assert answer.json == {"error": "charts may have 65536 bytes at the most"}
        assert (await ask.get("/api/charts")).json == {}
        assert list(tmp_path.iterdir()) == []


async def test_a_client_that_falls_silent_is_refused(tmp_path):
    async with a_chart_server(tmp_path, silence_seconds=0.1) as ask:
        over = asyncio.Event()
        sending = asyncio.create_task(ask.upload(in_pieces(a_chart()[:50], b"x", pause=over.wait)))
        answer = await sending
        over.set()
        assert (answer.status, answer.json["error"]) == (408, "the upload takes too long")


async def test_an_upload_without_an_end_is_refused(tmp_path):
    async def for_ever():
        while True:
            yield b"\x1f"
            await asyncio.sleep(0.01)

    async with a_chart_server(tmp_path, upload_seconds=0.3) as ask:
        assert (await ask.upload(for_ever())).status == 408


async def test_slow_uploads_do_not_hold_up_readers(tmp_path):
    async with a_chart_server(tmp_path, uploads=1) as ask:
        over = asyncio.Event()
        slow = asyncio.create_task(
            ask.upload(in_pieces(a_chart()[:50], a_chart()[50:], pause=over.wait))
        )
        assert (await ask.get("/index.yaml")).status == 200
        over.set()
        assert (await slow).status == 201


async def test_a_connection_that_sends_no_request_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr("whipstaff.serving.connections.HEAD_SECONDS", 0.2)
    async with a_chart_server(tmp_path) as ask:
        port = int(ask.url.rpartition(":")[2])
        for head in (b"", b"GET /index.yaml HTTP/1.1\r\nHost: localhost\r\nX-Slow"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            assert await asyncio.wait_for(reader.read(), 30) == b""
            writer.close()
            await writer.wait_closed()


async def test_a_client_that_does_not_read_its_answer_is_left(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("whipstaff.serving.connections.READ_SECONDS", 0.2)
    put(tmp_path, bytes(64 << 20))
    caplog.set_level(logging.INFO)
    async with a_chart_server(tmp_path) as ask:
        port = int(ask.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.send(b"GET /charts/demo-1.0.0.tgz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            async with asyncio.timeout(60):
                while "request" not in caplog.messages:  # noqa: ASYNC110 - a log wakes nobody
                    await asyncio.sleep(0.05)
        (record,) = [one for one in caplog.records if one.message == "request"]
        assert record.bytes < 64 << 20
        assert (await ask.get("/health")).status == 200


async def test_a_repository_has_no_more_bytes_than_its_quota(tmp_path):
    size = len(a_chart())
    async with a_chart_server(tmp_path, quota_bytes=2 * size + 20, depth=1) as ask:
        assert (await ask.upload(a_chart(), "/api/a/charts")).status == 201
        assert (await ask.upload(a_chart(version="1.1.0"), "/api/a/charts")).status == 201
        answer = await ask.upload(a_chart(version="1.2.0"), "/api/a/charts")
        assert (answer.status, answer.json) == (507, {"error": "repo has reached storage limit"})
        # What takes no more room than what it replaces is taken.
        assert (await ask.upload(a_chart(), "/api/a/charts?force")).status == 201
        assert (await ask.upload(a_chart(), "/api/b/charts")).status == 201


async def test_a_repository_has_no_more_files_than_its_quota(tmp_path):
    async with a_chart_server(tmp_path, quota_files=1) as ask:
        assert (await ask.upload(a_chart())).status == 201
        assert (await ask.upload(a_chart("other"))).status == 507
        assert (await ask.upload(a_provenance(), "/api/prov")).status == 507
        assert (await ask.upload(a_chart(), "/api/charts?force")).status == 201


async def test_uploads_at_the_same_time_do_not_pass_the_quota_together(tmp_path):
    async with a_chart_server(tmp_path, quota_files=3) as ask:
        archives = [a_chart(version=f"1.{number}.0") for number in range(10)]
        answers = await asyncio.gather(*map(ask.upload, archives))
        assert sorted(answer.status for answer in answers) == [201] * 3 + [507] * 7
