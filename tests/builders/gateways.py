"""The gateway as a process beside a control plane, with the rights that the chart gives it."""

import json
import re
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
        if body["kind"] == "ServiceAccount":
            body["metadata"]["namespace"] = NAMESPACE
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
