"""Requests that no library would send, byte by byte."""

import asyncio
import re

from yarl import URL

# To whoever goes by the first length, the body holds a request of its own.
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
TWO_LENGTHS = {
    "a length and pieces": [
        f"Content-Length: {5 + len(HIDDEN)}",
        "Transfer-Encoding: chunked",
    ],
    "pieces and a length": ["Transfer-Encoding: chunked", "Content-Length: 5"],
    "two lengths": ["Content-Length: 5", f"Content-Length: {5 + len(HIDDEN)}"],
    "two lengths in one line": [f"Content-Length: 5, {5 + len(HIDDEN)}"],
    "a length with a sign": ["Content-Length: +5"],
    "a name with a blank": ["Transfer-Encoding : chunked"],
    "pieces twice": ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    "pieces of something else": ["Transfer-Encoding: chunked, identity"],
    "pieces in other letters": ["Transfer-Encoding: \x0bchunked"],
}


async def answers(url, start, heads=(), body=b""):
    """Send a request; give the statuses of all that is answered until the server ends it."""
    place = URL(url)
    reader, writer = await asyncio.open_connection(place.host, place.port)
    try:
        writer.write("\r\n".join([start, "Host: x", *heads, "", ""]).encode() + body)
        async with asyncio.timeout(60):
            answered = await reader.read()
    finally:
        writer.close()
    return [int(one) for one in re.findall(rb"HTTP/1\.[01] (\d{3})", answered)]


async def hiding(url, start, heads):
    """Send a request with another one in its body, as `answers`."""
    return await answers(url, start, heads, b"0\r\n\r\n" + HIDDEN)
