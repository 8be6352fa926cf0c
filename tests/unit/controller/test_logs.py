"""Each record is one JSON object in one line."""

import json
import logging
import sys
import warnings

import pytest

from whipstaff.controller.logs import JsonLines, bound, log_as_json


def a_line(message="something happened", level=logging.INFO, **more):
    record = logging.makeLogRecord(
        {"name": "whipstaff.loop", "levelno": level, "levelname": logging.getLevelName(level)}
        | {"msg": message, "created": 1_700_000_000.25, "msecs": 250}
        | more
    )
    text = JsonLines().format(record)
    assert "\n" not in text
    return json.loads(text)


def test_message_and_facts_are_fields():
    facts = a_line(revision=3, action="upgrade")
    assert facts.pop("time") == "2023-11-14T22:13:20.250Z"
    assert facts == {
        "level": "info",
        "logger": "whipstaff.loop",
        "message": "something happened",
        "revision": 3,
        "action": "upgrade",
    }


def test_what_is_bound_is_in_every_line_until_it_ends():
    with bound(helmrelease="shop/blog"), bound(lap=2):
        facts = a_line(revision=3)
    assert (facts["helmrelease"], facts["lap"], facts["revision"]) == ("shop/blog", 2, 3)
    assert "helmrelease" not in a_line()


def test_a_fact_that_is_no_json_is_written_as_text():
    assert a_line(why=ValueError("odd"))["why"] == "odd"


def test_a_traceback_stays_in_the_line():
    try:
        int("first line\nsecond line")
    except ValueError:
        facts = a_line(exc_info=sys.exc_info())
    assert facts["traceback"].startswith("Traceback")
    assert "ValueError" in facts["traceback"]


def test_a_message_with_line_ends_and_odd_characters_stays_one_line():
    assert a_line("one\ntwo \x00 \ud800")["message"] == "one\ntwo \x00 \ud800"


@pytest.fixture
def root():
    """Give the root logger, put back after the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    noisy = {name: logging.getLogger(name).level for name in ("aiohttp.access", "kopf", "asyncio")}
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    for name, before in noisy.items():
        logging.getLogger(name).setLevel(before)


def test_all_logs_of_the_process_go_to_standard_error(root, capsys):
    log_as_json("warning")
    logging.getLogger("any").warning("heard", extra={"number": 1})
    logging.getLogger("any").info("not heard")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "heard"
    assert root.level == logging.WARNING


def test_a_warning_of_python_is_a_line_too(root, capsys):
    log_as_json("info")
    with warnings.catch_warnings(action="always"):
        logging.captureWarnings(True)
        warnings.warn("old ways", FutureWarning, stacklevel=1)
        logging.captureWarnings(False)
    (line,) = capsys.readouterr().err.splitlines()
    assert "old ways" in json.loads(line)["message"]


def test_what_libraries_chat_is_left_out(root, capsys):
    log_as_json("debug")
    logging.getLogger("kopf").info("chat")
    assert capsys.readouterr().err == ""
