"""The log of aiohttp's servers: what goes wrong in them, and not what is sent to them."""

import logging

from aiohttp.http_exceptions import HttpProcessingError

log = logging.getLogger(__name__)


def _is_fault(record: logging.LogRecord) -> bool:
    """Whether more is to be told than an answer: what is no HTTP is the fault of who sent it."""
    return not record.exc_info or not isinstance(record.exc_info[1], HttpProcessingError)


log.addFilter(_is_fault)
