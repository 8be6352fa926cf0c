"""The demo: two blogs from one chart; one is upgraded, then rolled back by editing `spec.revision`.

`python -m tools.demo up` leaves everything running; `python -m tools.demo down` ends it.
"""

import shlex
import sys
import time
from pathlib import Path

from tools.controlplane import obtain, processes
from tools.controlplane.cluster import ROOT, STATES, Cluster, remove
from tools.controlplane.processes import StartFailed
from tools.controlplane.programs import ProgramsMissing
from tools.running_operator import RunningOperator, prepare

FOLDER = STATES / "demo"
BLOG = ROOT / "charts" / "samples" / "blog"
PLAIN = ROOT / "charts" / "samples" / "plain"
NAMESPACE = "blogs"
SETTLE_SECONDS = 60
REPOSITORY_SECONDS = 10.0

RELEASE = """\
apiVersion: whipstaff.dev/v1
kind: HelmRelease
metadata:
  name: {name}
  namespace: {namespace}
spec:
  chart:
    name: blog
    version: {version}
    repository: {repository}
  values:
    title: {title}
    replicas: {replicas}
"""
HISTORY = (
    'jsonpath={range .status.history[*]}{.revision}{"\\t"}{.status}{"\\t"}{.version}{"\\t"}'
    '{.description}{"\\t"}{.trigger}{"\\n"}{end}'
)


class DemoFailed(Exception):
    """A step did not end as it should; the text says which."""


class Demo:
    """One showing: every step prints the command that one would type, and what it answers."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.started = time.monotonic()

    def show(self) -> None:
        """Go through all steps; raises `DemoFailed` at the first that goes wrong."""
        self._say("Starting a control plane")
        self.cluster.start()
        repository = self._serve_charts()
        prepare(self.cluster)
        RunningOperator(self.cluster).start()
        self._say("The operator runs, with a ServiceAccount of its own; two blogs from one chart")
        self._kubectl("create", "namespace", NAMESPACE)
        self._apply("travel", "A travel blog", repository, replicas=2)
        self._apply("food", "A food blog", repository, replicas=1)
        self._settled("food", revision=1)
        self._settled("travel", revision=1)
        self._look("travel")

        self._say("Travel moves to version 1.1.0 of the chart")
        self._patch("travel", '{"spec": {"chart": {"version": "1.1.0"}}}')
        self._settled("travel", revision=2)
        self._look("travel")

        self._say("Travel goes back: spec.revision names the revision to run, and holds it")
        self._patch("travel", '{"spec": {"revision": 1}}')
        self._settled("travel", revision=3)
        self._look("travel")
        self._say("Done")

    def _serve_charts(self) -> str:
        url_file = self.cluster.folder / "repository-url"
        charts = [f"{BLOG}=1.0.0=6.4", f"{BLOG}=1.1.0=6.5", str(PLAIN)]
        serve = [sys.executable, "-m", "tools.chartrepo", str(url_file), *charts]
        process = self.cluster.attach("chart-repository", serve, {"PYTHONPATH": str(ROOT)})
        deadline = time.monotonic() + REPOSITORY_SECONDS
        while not url_file.exists():
            if not processes.alive(process) or time.monotonic() > deadline:
                raise DemoFailed("the chart repository did not start")
            time.sleep(0.05)
        return url_file.read_text(encoding="utf-8")

    def _apply(self, name: str, title: str, repository: str, replicas: int) -> None:
        text = RELEASE.format(
            name=name,
            namespace=NAMESPACE,
            version="1.0.0",
            repository=repository,
            title=title,
            replicas=replicas,
        )
        print(f"\n$ kubectl apply -f - <<EOF\n{text}EOF", flush=True)
        print(self.cluster.kubectl("apply", "-f", "-", stdin=text), end="", flush=True)

    def _patch(self, name: str, patch: str) -> None:
        self._kubectl("-n", NAMESPACE, "patch", "helmrelease", name, "--type=merge", "-p", patch)

    def _settled(self, name: str, revision: int) -> None:
        """Wait until a revision runs and is Ready; Ready alone may be the old one's."""
        for condition in (f"jsonpath={{.status.revision}}={revision}", "condition=Ready"):
            done = self.cluster.run(
                *("kubectl", "-n", NAMESPACE, "wait", f"helmrelease/{name}"),
                *(f"--for={condition}", f"--timeout={SETTLE_SECONDS}s"),
                check=False,
            )
            if done.returncode != 0:
                state = self.cluster.kubectl(
                    "-n", NAMESPACE, "get", "helmrelease", name, "-o", "jsonpath={.status}"
                )
                log = processes.tail(self.cluster.layout.log("whipstaff"), 20)
                raise DemoFailed(
                    f"{name}: {done.stderr.strip()}\nits status: {state}\n"
                    f"the end of the operator's log:\n{log}"
                )

    def _look(self, name: str) -> None:
        self._kubectl("-n", NAMESPACE, "get", "helmreleases")
        self._kubectl("-n", NAMESPACE, "get", "helmrelease", name, "-o", HISTORY)
        self._run("helm", "-n", NAMESPACE, "history", name)

    def _kubectl(self, *arguments: str) -> None:
        self._run("kubectl", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        print(f"\n$ {program} {shlex.join(arguments)}", flush=True)
        print(self.cluster.run(program, *arguments).stdout.rstrip(), flush=True)

    def _say(self, text: str) -> None:
        print(f"\n=== {text} ({time.monotonic() - self.started:.0f} s)", flush=True)


def up() -> int:
    """Show the demo from the beginning, and leave it running."""
    remove(FOLDER)
    try:
        demo = Demo(Cluster(FOLDER, obtain.obtain(print)))
        demo.show()
    except (DemoFailed, StartFailed, ProgramsMissing, RuntimeError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        remove(FOLDER)
        return 1
    python = Path(sys.executable)
    shown = python.relative_to(ROOT) if python.is_relative_to(ROOT) else python
    print(
        "\nIt goes on running; `make demo-down` ends it. To reach it from here:\n"
        f'eval "$({shown} -m tools.controlplane --name demo env)"; '
        f"kubectl -n {NAMESPACE} get helmreleases"
    )
    return 0


def down() -> int:
    """End the demo and remove its files; when there is none, that is fine too."""
    remove(FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit({"up": up, "down": down}[sys.argv[1]]())
