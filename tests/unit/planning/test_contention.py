"""What two objects cannot both have."""

import pytest

from whipstaff.planning.contention import claims_of, host_ports_of, is_exclusive

CLAIM = {"name": "data", "persistentVolumeClaim": {"claimName": "blog-data"}}
PODS = {"volumes": [CLAIM, {"name": "tmp", "emptyDir": {}}]}


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "Deployment", "spec": {"template": {"spec": PODS}}},
        {"kind": "Pod", "spec": PODS},
        {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": PODS}}}}},
    ],
    ids=lambda body: body["kind"],
)
def test_claims_are_found_in_what_runs_pods(body):
    assert claims_of(body) == {"blog-data"}


@pytest.mark.parametrize("body", [{}, {"spec": None}, {"spec": {"template": "x"}}, {"kind": "Pod"}])
def test_what_runs_no_pods_has_none(body):
    assert claims_of(body) == host_ports_of(body) == frozenset()


def test_ports_of_the_node_are_found():
    ports = [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 53, "protocol": "UDP"}]
    spec = {"containers": [{"ports": ports}]}
    assert host_ports_of({"kind": "Pod", "spec": spec}) == {"8080/TCP"}
    spec["hostNetwork"] = True
    assert host_ports_of({"kind": "Pod", "spec": spec}) == {"8080/TCP", "53/UDP"}


@pytest.mark.parametrize(
    ("modes", "exclusive"),
    [(["ReadWriteOnce"], True), (["ReadWriteOnce", "ReadWriteMany"], False), ([], True)],
)
def test_a_claim_that_many_nodes_mount_is_shared(modes, exclusive):
    assert is_exclusive({"spec": {"accessModes": modes}}) is exclusive
