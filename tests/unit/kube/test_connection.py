"""Where the API server is and as whom to speak: tokens that rotate, files of all kinds."""

import asyncio
import json
import os
import ssl
import stat
import subprocess
import sys

import pytest

from tools.controlplane.credentials import make_credentials
from whipstaff.errors import ClusterRefused
from whipstaff.kube import connection as connection_module
from whipstaff.kube.connection import InCluster, Kubeconfig

START = asyncio.create_subprocess_exec
LIGHT = """
import sys
import whipstaff.kube.client, whipstaff.kube.cluster, whipstaff.kube.connection
import whipstaff.kube.watching, whipstaff.kube.lease
import whipstaff.kube.release_store, whipstaff.kube.reporter
heavy = {"yaml", "cryptography", "kubernetes", "kopf", "jinja2", "requests"} & set(sys.modules)
print(*sorted(heavy))
"""


@pytest.fixture(scope="module")
def credentials(tmp_path_factory):
    return make_credentials(tmp_path_factory.mktemp("credentials"))


@pytest.fixture
def pod(tmp_path, credentials):
    (tmp_path / "ca.crt").write_bytes(credentials.ca_certificate.read_bytes())
    (tmp_path / "token").write_text("first\n")
    return tmp_path


def a_kubeconfig(folder, user, cluster=None, server="https://127.0.0.1:6443/"):
    path = folder / "config"
    contexts = [
        {"name": "one", "context": {"cluster": "c", "user": "u"}},
        {"name": "two", "context": {"cluster": "d", "user": "u"}},
    ]
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [
            {"name": "c", "cluster": {"server": server, **(cluster or {})}},
            {"name": "d", "cluster": {"server": "http://other"}},
        ],
        "users": [{"name": "u", "user": user}],
        "contexts": contexts,
    }
    path.write_text(json.dumps(body))
    return path


async def test_in_a_pod_the_environment_says_where(pod):
    environment = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    connection = InCluster.from_environment(environment, pod)
    assert connection.server == "https://10.0.0.1:443"
    assert await connection.authorization() == "Bearer first"


async def test_an_address_of_ipv6_is_bracketed(pod):
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    assert InCluster.from_environment(environment, pod).server == "https://[fd00::1]:443"


def test_outside_of_a_pod_a_kubeconfig_is_asked_for(tmp_path):
    with pytest.raises(ClusterRefused, match="kubeconfig"):
        InCluster.from_environment({}, tmp_path)


async def test_a_rotated_token_is_read_again(pod, monkeypatch):
    connection = InCluster("https://x", pod)
    await connection.authorization()
    (pod / "token").write_text("second")
    assert await connection.authorization() == "Bearer first"
    await connection.renew()
    assert await connection.authorization() == "Bearer second"
    (pod / "token").write_text("third")
    monkeypatch.setattr(connection_module, "TOKEN_FILE_SECONDS", 0.0)
    assert await connection.authorization() == "Bearer third"


async def test_a_kubeconfig_with_a_token(tmp_path, credentials):
    ca = {"certificate-authority": str(credentials.ca_certificate)}
    connection = await Kubeconfig.open(a_kubeconfig(tmp_path, {"token": "t"}, ca))
    assert connection.server == "https://127.0.0.1:6443"
    assert await connection.authorization() == "Bearer t"
    assert connection.tls.verify_mode == ssl.CERT_REQUIRED


async def test_a_token_that_is_not_taken_any_more_is_read_again_once_for_all(tmp_path, credentials):
    ca = {"certificate-authority": str(credentials.ca_certificate)}
    connection = await Kubeconfig.open(a_kubeconfig(tmp_path, {"token": "first"}, ca))
    a_kubeconfig(tmp_path, {"token": "second"}, ca)
    assert await connection.authorization() == "Bearer first"
    await connection.renew()
    asked = await asyncio.gather(*(connection.authorization() for _ in range(3)))
    assert asked == ["Bearer second"] * 3


async def test_another_context_of_a_kubeconfig(tmp_path):
    connection = await Kubeconfig.open(a_kubeconfig(tmp_path, {"token": "t"}), "two")
    assert connection.server == "http://other"


async def test_a_kubeconfig_with_a_certificate_and_no_check_of_the_server(tmp_path, credentials):
    user = {
        "client-certificate": str(credentials.server_certificate),
        "client-key": str(credentials.server_key),
    }
    path = a_kubeconfig(tmp_path, user, {"insecure-skip-tls-verify": True})
    connection = await Kubeconfig.open(path)
    assert await connection.authorization() == ""
    assert connection.tls.verify_mode == ssl.CERT_NONE


async def test_an_exec_plugin_is_asked_again_when_its_token_expires(tmp_path):
    plugin = tmp_path / "plugin"
    plugin.write_text(
        "#!/bin/sh\n"
        f"echo x >> {tmp_path}/asked\n"
        f"n=$(wc -l < {tmp_path}/asked)\n"
        'echo \'{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",'
        '"status":{"token":"token-\'$n\'","expirationTimestamp":"2020-01-01T00:00:00Z"}}\'\n'
    )
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    version = "client.authentication.k8s.io/v1"
    user = {"exec": {"apiVersion": version, "command": str(plugin), "interactiveMode": "Never"}}
    connection = await Kubeconfig.open(a_kubeconfig(tmp_path, user))
    assert await connection.authorization() == "Bearer token-2"


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[", "clusters: 5", '{"current-context": "none"}']
)
async def test_a_file_that_cannot_be_used_says_why(tmp_path, text):
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ClusterRefused, match="cannot be used"):
        await Kubeconfig.open(path)


async def test_a_file_that_is_missing_says_so(tmp_path):
    with pytest.raises(ClusterRefused, match="cannot be used"):
        await Kubeconfig.open(tmp_path / "none")


def test_the_main_process_imports_nothing_heavy(pytestconfig):
    ended = subprocess.run(
        [sys.executable, "-c", LIGHT],
        env={"PYTHONPATH": str(pytestconfig.rootpath / "operator")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.stdout.strip(), ended.stderr, ended.returncode) == ("", "", 0)


async def test_nobody_is_left_reading_a_file_that_nobody_waits_for(tmp_path):
    pipe = tmp_path / "kubeconfig"
    os.mkfifo(pipe)  # its reader waits for ever
    begun = []

    async def begin(*arguments, **options):
        begun.append(await START(*arguments, **options))
        return begun[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "create_subprocess_exec", begin)
        opening = asyncio.create_task(Kubeconfig.open(pipe))
        while not begun:  # noqa: ASYNC110 - a process that begins has no event to await
            await asyncio.sleep(0.01)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
    assert begun[0].returncode is not None
