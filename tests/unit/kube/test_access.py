"""How a command finds its cluster."""

import base64
import json
import os
import sys
import threading

import pytest

from whipstaff.errors import ClusterRefused
from whipstaff.kube.access import Overrides, open_access


def a_config(server="http://one:8080", user=None, **cluster):
    return {
        "current-context": "main",
        "contexts": [
            {"name": "main", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
            {"name": "bare", "context": {"cluster": "c"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user or {"token": "secret"}}],
    }


@pytest.fixture
def opened(tmp_path):
    def opened(*configs, context="", environment=None):
        paths = []
        for number, config in enumerate(configs):
            paths.append(tmp_path / f"config-{number}")
            text = config if isinstance(config, str) else json.dumps(config)
            paths[-1].write_text(text)
        given = ":".join(map(str, paths))
        return open_access("", context, {"KUBECONFIG": given, **(environment or {})})

    return opened


def test_a_token_and_the_namespace_of_the_context_are_taken(opened):
    access = opened(a_config(server="http://one:8080/"))
    assert (access.server, access.namespace) == ("http://one:8080", "shop")
    assert access.headers == {"Authorization": "Bearer secret"}
    assert "secret" not in repr(access)


def test_another_context_is_taken_by_its_name(opened):
    access = opened(a_config(), context="bare")
    assert (access.namespace, access.headers) == ("default", {})


def test_a_password_is_basic_authentication(opened):
    access = opened(a_config(user={"username": "ann", "password": "pw"}))
    told = access.headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(told) == b"ann:pw"


def test_a_token_file_is_found_beside_its_kubeconfig(opened, tmp_path):
    (tmp_path / "token").write_text("from a file\n")
    access = opened(a_config(user={"tokenFile": "token"}))
    assert access.headers == {"Authorization": "Bearer from a file"}


def test_somebody_else_is_impersonated_where_the_user_says_so(opened):
    assert opened(a_config(user={"token": "t", "as": "bob"})).headers["Impersonate-User"] == "bob"


def test_the_first_of_several_files_counts(opened):
    later = a_config(server="http://two:8080")
    later["contexts"].append({"name": "more", "context": {"cluster": "c"}})
    assert opened(a_config(), later).server == "http://one:8080"
    assert opened(a_config(), later, context="more").server == "http://one:8080"


def test_a_plugin_is_run_for_credentials(opened, tmp_path):
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "from a plugin"},
    }
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!{sys.executable}\nprint({json.dumps(json.dumps(answer))})\n")
    plugin.chmod(0o755)
    run = {"apiVersion": answer["apiVersion"], "command": str(plugin), "interactiveMode": "Never"}
    access = opened(a_config(user={"exec": run}), environment={"PATH": os.environ["PATH"]})
    assert access.headers == {"Authorization": "Bearer from a plugin"}
    assert not access.renew()  # the same again helps nobody


@pytest.mark.parametrize("command", ["/nowhere/login", "false"])
def test_a_login_that_fails_is_no_access_as_nobody(opened, capfd, command):
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": command}
    with pytest.raises(ClusterRefused, match="no credentials for context"):
        opened(
            a_config(user={"exec": {**run, "interactiveMode": "Never"}}),
            environment={"PATH": os.environ["PATH"]},
        )
    (line,) = capfd.readouterr().err.splitlines()
    assert command in line or "returned 1" in line


@pytest.mark.parametrize(
    ("config", "told"),
    [
        pytest.param("[", "no kubeconfig", id="no YAML"),
        pytest.param("text", "no kubeconfig", id="no table"),
        pytest.param({}, "names no context", id="empty"),
        pytest.param({"current-context": "x"}, 'context "x" does not exist', id="no context"),
        pytest.param(
            {"current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "y"}}]},
            'cluster "y" does not exist',
            id="no cluster",
        ),
        pytest.param(a_config(server=""), "has no server", id="no server"),
        pytest.param(a_config(user={"tokenFile": "gone"}), "cannot be read", id="no token file"),
        pytest.param(
            a_config(server="https://one", **{"certificate-authority-data": "bm9uZQ=="}),
            "certificates cannot be used",
            id="no certificate",
        ),
    ],
)
def test_a_kubeconfig_that_leads_nowhere_says_why(opened, config, told):
    with pytest.raises(ClusterRefused, match=told):
        opened(config)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(ClusterRefused, match="/nowhere/config"):
        open_access("/nowhere/config", "", {})


def test_what_is_no_file_is_called_what_it_is(tmp_path):
    with pytest.raises(ClusterRefused, match="is a directory"):
        open_access(str(tmp_path), "", {})


def test_a_kubeconfig_may_come_from_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(json.dumps(a_config()),))
    writer.start()
    assert open_access(str(pipe), "", {}).server
    writer.join()


def test_a_proxy_of_the_kubeconfig_goes_before_that_of_the_environment(opened):
    environment = {"HTTP_PROXY": "http://other:1"}
    access = opened(a_config(**{"proxy-url": "socks5://ann:pw@p:1"}), environment=environment)
    assert str(access.proxy) == "socks5://p:1"
    assert str(opened(a_config(), environment=environment).proxy) == "http://other:1"
    with pytest.raises(ClusterRefused, match=r"config-0 cannot be used: proxy-url"):
        opened(a_config(**{"proxy-url": "https://ann:pw@p:1"}))


def test_somebody_else_may_be_acted_as_with_groups(opened):
    access = opened(a_config(user={"token": "x", "as": "ann", "as-groups": ["a", "b"]}))
    assert access.headers["Impersonate-User"] == "ann"
    assert access.groups == ("a", "b")


def test_flags_go_before_the_kubeconfig(tmp_path):
    file = tmp_path / "config"
    file.write_text(json.dumps(a_config(user={"exec": {"command": "never-run"}})))
    said = Overrides(server="http://two", token="other", user="ann", groups=("a",))
    access = open_access(str(file), "", {}, said)
    assert (access.server, access.namespace) == ("http://two", "shop")
    assert access.headers == {"Authorization": "Bearer other", "Impersonate-User": "ann"}
    assert access.groups == ("a",)


def test_with_a_server_no_kubeconfig_is_needed(tmp_path):
    access = open_access("", "", {"HOME": str(tmp_path)}, Overrides(server="http://two", token="x"))
    assert (access.server, access.namespace) == ("http://two", "default")
    assert "Bearer x" not in repr(access)
