"""The control plane does for charts what a cluster does."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.controlplane import audit, processes, programs
from tools.controlplane.cluster import ROOT, Cluster
from tools.controlplane.processes import StartFailed

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.org/web:1}]}
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: NAME}
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {pods.whipstaff.dev/outcome: OUTCOME}}
    spec: {restartPolicy: Never, containers: [{name: job, image: example.org/job:1}]}
"""
CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


def test_a_deployment_becomes_available(control_plane, namespace):
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=DEPLOYMENT)
    control_plane.kubectl(
        "wait", "-n", namespace, "deployment/web", "--for=condition=Available", "--timeout=20s"
    )


@pytest.mark.parametrize(
    ("outcome", "condition"),
    [pytest.param("ends", "Complete", id="well"), pytest.param("fails", "Failed", id="badly")],
)
def test_a_job_ends_as_its_pods_do(control_plane, namespace, outcome, condition):
    job = JOB.replace("NAME", outcome).replace("OUTCOME", outcome)
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=job)
    control_plane.kubectl(
        "wait", "-n", namespace, f"job/{outcome}", f"--for=condition={condition}", "--timeout=20s"
    )


def test_a_claim_is_bound(control_plane, namespace):
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=CLAIM)
    control_plane.kubectl(
        "wait", "-n", namespace, "pvc/data", "--for=jsonpath={.status.phase}=Bound", "--timeout=20s"
    )


def test_rights_are_checked(control_plane, namespace):
    alice = control_plane.kubeconfig_for(control_plane.tokens["alice"], "alice")
    refused = control_plane.run(
        "kubectl", "--kubeconfig", str(alice), "get", "pods", "-n", namespace, check=False
    )
    assert refused.returncode == 1
    assert 'User "alice" cannot list resource "pods"' in refused.stderr


def test_a_service_account_works_with_a_token_of_its_own(control_plane, namespace):
    control_plane.kubectl("create", "serviceaccount", "robot", "-n", namespace)
    token = control_plane.service_account_token(namespace, "robot")
    robot = control_plane.kubeconfig_for(token, "robot")
    said = control_plane.kubectl("--kubeconfig", str(robot), "auth", "whoami", "-o", "json")
    name = json.loads(said)["status"]["userInfo"]["username"]
    assert name == f"system:serviceaccount:{namespace}:robot"


def test_the_audit_log_tells_writes_in_order_and_leaves_dry_runs_out(control_plane, namespace):
    start = control_plane.audit_log.stat().st_size
    for name in ("one", "two"):
        control_plane.kubectl("create", "configmap", name, "-n", namespace)
    control_plane.kubectl("create", "configmap", "three", "-n", namespace, "--dry-run=server")
    written = [
        (request.verb, request.resource, request.name)
        for request in audit.writes(
            control_plane.audit_log, start, user="admin", user_agent="kubectl"
        )
        if request.namespace == namespace
    ]
    assert written == [("create", "configmaps", "one"), ("create", "configmaps", "two")]


def test_impersonated_requests_name_both_users(control_plane, namespace):
    start = control_plane.audit_log.stat().st_size
    control_plane.run("kubectl", "get", "secrets", "-n", namespace, "--as=bob", check=False)
    assert [
        (request.user, request.acting_as, request.code)
        for request in audit.read(control_plane.audit_log, start)
        if request.namespace == namespace and request.resource == "secrets"
    ] == [("admin", "bob", 403)]


def test_the_api_server_goes_away_and_comes_back_with_what_it_had(own_cluster):
    cluster = own_cluster()
    cluster.kubectl("create", "configmap", "kept", "-n", "default")
    cluster.pause_api_server()
    assert "kube-apiserver" not in cluster.running()
    assert cluster.run("kubectl", "get", "ns", check=False).returncode == 1
    cluster.resume_api_server()
    assert "kept" in cluster.kubectl("get", "configmaps", "-n", "default", "-o", "name")


def test_stopping_leaves_no_process_and_no_file(own_cluster):
    cluster = own_cluster()
    started = list(cluster.processes)
    assert len(started) == 5
    cluster.stop()
    assert not any(processes.alive(process) for process in started)
    assert not cluster.folder.exists()


def test_it_is_gone_when_its_owner_is_killed(tmp_path):
    folder = tmp_path / "cluster"
    program = (
        "import sys; from pathlib import Path; from tools.controlplane import programs;"
        "from tools.controlplane.cluster import Cluster;"
        "Cluster(Path(sys.argv[1]), programs.find()).start(guarded=True);"
        "print('up', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdout.readline() == b"up\n"
        started = Cluster.load(folder).processes
        os.kill(owner.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.exists()
    assert not any(processes.alive(process) for process in started)


def test_a_start_that_fails_names_the_program_and_shows_its_log(tmp_path):
    broken = tmp_path / "kube-apiserver"
    broken.write_text("#!/bin/sh\necho 'flag provided but not defined'\nexit 3\n")
    broken.chmod(0o755)
    cluster = Cluster(tmp_path / "cluster", {**programs.find(), "kube-apiserver": broken})
    with pytest.raises(StartFailed) as failed:
        cluster.start()
    assert "kube-apiserver ended with code 3" in str(failed.value)
    assert "flag provided but not defined" in str(failed.value)
    assert not Path(cluster.folder).exists()
