"""What is no name reaches no cluster: the path of no name at all is that of all HelmReleases."""

import pytest
from click.testing import CliRunner

from whipstaff.cli.main import main

KUBECONFIG = """
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, namespace: shop}}]
current-context: c
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(file))
    return lambda *line: CliRunner().invoke(main, line)


@pytest.mark.parametrize("name", ["", ".", "..", "blog/status", "a b", "blog?x=1", "Blog", "%2e"])
@pytest.mark.parametrize(
    "line",
    [
        "uninstall",
        "uninstall --no-wait",
        "uninstall --ignore-not-found",
        "rollback",
        "pin",
        "unpin",
        "suspend",
        "resume",
        "reconcile",
        "wait",
        "diff",
        "plan",
    ],
)
def test_what_is_no_name_is_refused_before_anything_is_asked(run, line, name):
    done = run(*line.split(), name)
    assert (done.exit_code, done.stderr) == (1, f"Error: Release name is invalid: {name}\n")


@pytest.mark.parametrize("namespace", ["a/b", "..", "x/../y", "a b", "a?b", "%2e"])
def test_what_is_no_namespace_is_refused_before_anything_is_asked(run, namespace):
    done = run("uninstall", "blog", "-n", namespace)
    assert (done.exit_code, done.stderr) == (1, f'Error: invalid namespace "{namespace}"\n')


@pytest.mark.parametrize(
    "line",
    [
        "diff",
        "diff blog --bogus",
        "diff blog --revision x",
        "diff blog --revision 1 --revision 2 --revision 3",
        "diff blog --exit-code --kube-context gone",
        "plan",
    ],
)
def test_a_wrong_line_is_never_taken_for_a_difference(run, line):
    """Which exit code 2 stands for."""
    done = run(*line.split())
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
