"""The gateway as a process beside a control plane, with the rights that the chart gives it."""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

from tests.builders.own_chart import objects
from tools.running_operator import NAMESPACE

ACCOUNT = "whipstaff-gateway"
_GRANTING = frozenset(
    {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
)


def grant(cluster, *settings):
    """Give the gateway's account what the chart gives it."""
    found = objects("gateway.enabled=true", *settings)
    mine = [
        body
        for body in found.values()
        if body["kind"] in _GRANTING and body["metadata"]["name"].startswith(ACCOUNT)
    ]
    for body in mine:
        if not body["kind"].startswith("Cluster"):
            body["metadata"].setdefault("namespace", NAMESPACE)
    cluster.kubectl(
        "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(mine)
    )
    return mine


class Answered:
    """What came back."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


class RunningGateway:
    """`whipstaff gateway` against a control plane, at a port of its own choice."""

    def __init__(self, cluster, *flags, name="gateway"):
        token = cluster.service_account_token(NAMESPACE, ACCOUNT)
        kubeconfig = cluster.kubeconfig_for(token, ACCOUNT)
        self.log = cluster.folder / "logs" / f"{name}.log"
        command = [
            *(
                sys.executable,
                "-m",
                "whipstaff",
                "gateway",
                "--address",
                "127.0.0.1:0",
            ),  # the last one counts
            *("--kubeconfig", str(kubeconfig), *flags),
        ]
        with self.log.open("a") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.url = re.search(r"https?://\S+", self._process.stdout.readline()).group()

    def get(self, path, token="", method="GET", headers=None, body=None, **query):
        text = urllib.parse.urlencode(query)
        request = urllib.request.Request(
            f"{self.url}{path}" + (f"?{text}" if text else ""), method=method
        )
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answered(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answered(error.code, dict(error.headers), error.read())

    def until(self, path, token, holds, seconds=40.0, **query):
        """Ask again and again until `holds` of the answer; return it."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.get(path, token, **query)
            if answer.status == 200 and holds(answer.json):
                return answer.json
            if time.monotonic() > deadline:
                raise AssertionError(f"{path} did not get there: {answer.status} {answer.body}")
            time.sleep(0.1)

    def kill(self):
        """End it without a chance to say so."""
        self._process.kill()
        self._process.stdout.close()
        self._process.wait(timeout=60)

    def stop(self):
        self._process.terminate()
        self._process.stdout.close()
        return self._process.wait(timeout=60)


def own_address():
    """Give an address of this machine besides its loopback: the API server proxies to no other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as place:
        place.connect(("192.0.2.1", 9))  # nothing is sent
        return place.getsockname()[0]


def behind_the_api_server(cluster, namespace, gateway, address):
    """Put a gateway behind a Service of the cluster; return its path on the API server."""
    port = int(gateway.url.rpartition(":")[2])
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "gateway", "namespace": namespace},
        "spec": {"ports": [{"name": "https", "port": 443, "targetPort": port}]},
    }
    # The API server proxies to addresses of pods alone.
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "gateway", "namespace": namespace},
        "spec": {"schedulerName": "nobody", "containers": [{"name": "gateway", "image": "x"}]},
    }
    target = {"kind": "Pod", "name": "gateway", "namespace": namespace}
    endpoints = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "gateway", "namespace": namespace},
        "subsets": [
            {
                "addresses": [{"ip": address, "targetRef": target}],
                "ports": [{"name": "https", "port": port}],
            }
        ],
    }
    for body in (service, pod, endpoints):
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    status = {"status": {"podIP": address, "podIPs": [{"ip": address}]}}
    cluster.kubectl(
        *("patch", "pod", "gateway", "-n", namespace, "--subresource=status"),
        *("--type=merge", "-p", json.dumps(status)),
    )
    return f"/api/v1/namespaces/{namespace}/services/https:gateway:https/proxy"
