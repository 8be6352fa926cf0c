import asyncio

import pytest

from tools.controlplane.cluster import free_ports
from whipstaff.controller.door import Door


class Echo(asyncio.Protocol):
    """Answers what it is sent; "proof" proves a connection."""

    door = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        if data == b"proof":
            with self.door.served(self.transport):
                pass
        if data == b"stay":
            self.stays = self.door.served(self.transport)
            self.stays.__enter__()
        self.transport.write(data)


@pytest.fixture
async def opened():
    doors = []

    async def start(**limits):
        class Known(Echo):
            pass

        door = Known.door = Door(Known, **limits)
        (port,) = free_ports(1)
        door.open("127.0.0.1", port, None)
        doors.append(door)
        return port

    yield start
    for door in doors:
        await door.close()


async def entered(port, word=b""):
    """Connect; with a word, wait for its echo."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    if word:
        writer.write(word)
        assert await asyncio.wait_for(reader.readexactly(len(word)), 30) == word
    return reader, writer


async def ended(connection):
    """Wait until the other side has closed."""
    reader, writer = connection
    assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()


async def test_the_oldest_that_proved_nothing_makes_room(opened):
    port = await opened(limit=2)
    known = await entered(port, b"proof")
    second = await entered(port, b"x")
    third = await entered(port, b"y")
    await ended(second)
    for _, writer in (known, third):
        writer.write(b"z")
    assert [await asyncio.wait_for(one.readexactly(1), 30) for one, _ in (known, third)] == [
        b"z"
    ] * 2
    for _, writer in (known, third):
        writer.close()


async def test_who_rests_makes_room_and_who_is_served_does_not(opened):
    port = await opened(limit=2)
    served = await entered(port, b"stay")
    resting = await entered(port, b"proof")
    third = await entered(port, b"y")
    await ended(resting)
    served[1].write(b"z")
    assert await asyncio.wait_for(served[0].readexactly(1), 30) == b"z"
    for _, writer in (served, third):
        writer.close()


async def test_who_says_nothing_is_shown_out(opened):
    port = await opened(proof_seconds=0.05)
    await ended(await entered(port))


async def test_who_left_is_not_counted(opened):
    port = await opened(limit=1)
    for _ in range(3):
        _, writer = await entered(port, b"stay")
        writer.close()
        await writer.wait_closed()
