import pytest

from whipstaff.kube.undeclared import without_undeclared


def a_deployment(**container):
    containers = [{"name": "side"}, {"name": "web", "image": "a"} | container]
    return {"kind": "Deployment", "spec": {"template": {"spec": {"containers": containers}}}}


@pytest.mark.parametrize(
    ("path", "body", "left"),
    [
        pytest.param(".nonsense", {"a": 1, "nonsense": 2}, {"a": 1}, id="at the top"),
        pytest.param(
            '.spec.template.spec.containers[name="web"].extra',
            a_deployment(extra=True),
            a_deployment(),
            id="in a list by key",
        ),
        pytest.param(
            '.ports[containerPort=80,protocol="TCP"].x',
            {"ports": [{"containerPort": 79, "x": 1}, {"containerPort": 80, "x": 1}]},
            {"ports": [{"containerPort": 79, "x": 1}, {"containerPort": 80}]},
            id="by a key that is not written down",
        ),
        pytest.param(
            ".items[1].x", {"items": [{"x": 1}, {"x": 1}]}, {"items": [{"x": 1}, {}]}, id="by place"
        ),
    ],
)
def test_a_field_that_is_not_known_is_left_out(path, body, left):
    refusal = f"failed to create typed patch object (a/b; v1): {path}: field not declared in schema"
    assert without_undeclared(body, refusal) == left


def test_all_that_are_named_are_left_out():
    refusal = (
        "failed to create typed patch object (a/b; v1): errors:\n"
        "  .one: field not declared in schema\n  .two: field not declared in schema"
    )
    assert without_undeclared({"one": 1, "two": 2, "three": 3}, refusal) == {"three": 3}


@pytest.mark.parametrize("refusal", ["it is forbidden", ".spec.gone: field not declared in schema"])
def test_nothing_comes_of_another_refusal(refusal):
    assert without_undeclared({"a": 1}, refusal) is None
