import pytest

from whipstaff.workers import unified as module
from whipstaff.workers.unified import unified

DEPLOYMENT = """kind: Deployment
metadata:
  name: blog
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: web
          image: web:1
          args:
            - one
            - two
            - three
            - four
        - name: log
          image: log:1
          env: []
"""


def heads(before, after):
    return [line for line in unified(before, after).splitlines() if line.startswith("@@")]


DEEP = "spec.template.spec.containers[name: web].args"


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        pytest.param("replicas: 1", "replicas: 2", "", id="near the top"),
        pytest.param("- four", "- 4", DEEP, id="in a list"),
        pytest.param("image: log:1", "image: log:2", DEEP, id="behind it"),
    ],
)
def test_a_part_says_where_it_begins(old, new, place):
    (head,) = heads(DEPLOYMENT, DEPLOYMENT.replace(old, new))
    assert head.split("@@")[2].strip() == place


def test_items_may_stand_as_deep_as_their_key():
    before = "spec:\n  ports:\n  - name: http\n    a: 1\n    b: 2\n    c: 3\n    port: 80\n"
    (head,) = heads(before, before.replace("80", "81"))
    assert head.endswith("@@ spec.ports[name: http]")


def test_what_is_no_yaml_has_no_places():
    before = "a\n  b c\n" * 10
    (head,) = heads(before, f"{before}  d\n")
    assert head.endswith("@@")


def test_the_same_has_no_difference():
    assert unified("a\n", "a\n") == ""


def test_a_difference_has_an_end(monkeypatch):
    monkeypatch.setattr(module, "LINES_LIMIT", 3)
    assert unified("a\nb\n", "c\nd\n") == "… 2 and 2 lines are too many to be compared\n"
    monkeypatch.setattr(module, "LINES_LIMIT", 10)
    monkeypatch.setattr(module, "BYTES_LIMIT", 8)
    assert unified("a\nb\n", "c\nd\n") == "--- befo…\n"
