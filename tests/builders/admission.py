"""The admission webhook of an operator beside a control plane, as charts/whipstaff installs it."""

import json

from tests.builders.own_chart import objects
from tools.controlplane.cluster import free_ports
from tools.running_operator import NAMESPACE, RunningOperator

CONFIGURATION = "whipstaff"
SECRET = "whipstaff-admission"
PLACE = f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{CONFIGURATION}"
SECRET_PLACE = f"/api/v1/namespaces/{NAMESPACE}/secrets/{SECRET}"


def judging(cluster, **settings):
    """Give an operator, not started yet, that the API server is to ask, and its port."""
    (port,) = free_ports(1)
    given = {
        "ADMISSION_PORT": str(port),
        "ADMISSION_HOST": "127.0.0.1",
        "ADMISSION_NAMES": "127.0.0.1,localhost",
        **settings,
    }
    environment = {f"WHIPSTAFF_{name}": value for name, value in given.items()}
    return RunningOperator(cluster, environment=environment), port


def configure(cluster, port, policy="Ignore"):
    """Register the webhook with an address instead of the chart's Service."""
    settings = ("admission.enabled=true", f"admission.failurePolicy={policy}")
    body = objects(*settings)["ValidatingWebhookConfiguration", CONFIGURATION]
    (webhook,) = body["webhooks"]
    webhook["clientConfig"] = {"url": f"https://127.0.0.1:{port}/validate"}
    cluster.kubectl(
        "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(body)
    )


def review(body, before=None, *, uid="u-1", operation="CREATE"):
    """Give the AdmissionReview that asks about a HelmRelease."""
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": uid,
            "operation": operation,
            "namespace": body["metadata"].get("namespace", "shop"),
            "name": body["metadata"].get("name", ""),
            "userInfo": {"username": "jo"},
            "object": body,
            "oldObject": before,
        },
    }
