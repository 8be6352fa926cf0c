import json

from tools.controlplane import audit

REQUEST = {
    "verb": "get",
    "objectRef": {"resource": "pods"},
    "requestURI": "/api/v1/pods",
    "user": {"username": "someone"},
    "requestReceivedTimestamp": "",
    "stage": "ResponseComplete",
    "stageTimestamp": "",
}
LINE = json.dumps(REQUEST).encode()


def test_a_line_that_is_being_written_at_the_offset_is_passed_over(tmp_path):
    log = tmp_path / "audit.log"
    log.write_bytes(LINE + b"\n" + LINE[:30])
    start, tail = log.stat().st_size, audit.Tail(log)
    assert len(list(audit.read(log))) == 1
    assert (tail.new(), list(audit.read(log, start))) == ([], [])
    log.write_bytes(LINE + b"\n" + LINE)
    assert tail.new() == []
    log.write_bytes((LINE + b"\n") * 3)
    assert len(tail.new()) == len(list(audit.read(log, start))) == 1
