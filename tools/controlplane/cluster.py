"""One control plane: start it, use it, take its API server away for a while, end it."""

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tools.controlplane import credentials as credentials_of
from tools.controlplane import flags, processes
from tools.controlplane.client import CONFLICT, ApiClient, Refused
from tools.controlplane.processes import Process, StartFailed

ROOT = Path(__file__).parents[2]
STATES = ROOT / ".whipstaff"  # the state folders of those that outlive their starter
READY_SECONDS = 60.0
POLL_SECONDS = 0.05
NODES = 4  # charts spread three replicas by anti-affinity
# Below the range of outgoing connections: a paused API server finds its port free again.
PORTS = range(20000, 30000)


class Cluster:
    """A control plane in a folder of its own; every public name works on a loaded one too."""

    def __init__(self, folder: Path, programs: Mapping[str, Path]) -> None:
        self.layout = flags.Layout(folder)
        self.programs = dict(programs)
        self.processes: list[Process] = []
        self.tokens: Mapping[str, str] = {}
        self.server = ""
        self._commands: dict[str, list[str]] = {}
        self._children: list[subprocess.Popen[bytes]] = []
        self._guard: subprocess.Popen[bytes] | None = None

    @classmethod
    def load(cls, folder: Path) -> "Cluster":
        """Find a started control plane again. Raises FileNotFoundError when there is none."""
        record = json.loads(flags.Layout(folder).record.read_text(encoding="utf-8"))
        cluster = cls(folder, {name: Path(path) for name, path in record["programs"].items()})
        cluster.processes = [Process(**fields) for fields in record["processes"]]
        cluster.tokens = record["tokens"]
        cluster.server = record["server"]
        cluster._commands = record["commands"]
        return cluster

    @property
    def folder(self) -> Path:
        return self.layout.folder

    @property
    def kubeconfig(self) -> Path:
        return self.layout.kubeconfig

    @property
    def audit_log(self) -> Path:
        return self.layout.audit_log

    @property
    def ca_certificate(self) -> Path:
        return self.layout.secrets / "ca.crt"

    @property
    def token(self) -> str:
        return self.tokens["admin"]

    @property
    def api(self) -> ApiClient:
        return ApiClient(self.server, self.ca_certificate, self.token)

    def start(self, *, guarded: bool = False) -> "Cluster":
        """Start everything and return when Deployments can become Ready.

        A guarded one is removed when this process ends, however it ends. Raises `StartFailed`, with
        nothing left running and no file left.
        """
        try:
            self._prepare()
            if guarded:
                self._start_guard()
            self._spawn("etcd", "kube-apiserver")
            self._await_api_server()
            self._spawn("kube-controller-manager", "kube-scheduler", "kwok")
            self._furnish()
            self._await_controllers()
        except BaseException:
            self.stop(grace_seconds=0.0)
            raise
        return self

    def stop(self, grace_seconds: float = 2.0) -> None:
        """End every process and remove every file."""
        # Those that came later end first: they need what came before to end well.
        attached = [process for process in self.processes if process.name not in self._commands]
        processes.end(attached, self._children, grace_seconds)
        processes.end(self.processes, self._children, grace_seconds)
        self.processes, self._children = [], []
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait()
            self._guard = None

    def running(self) -> list[str]:
        """Name the programs that run."""
        return [process.name for process in self.processes if processes.alive(process)]

    def ended(self) -> list[str]:
        """Name the programs that should run and don't: paused, or died."""
        running = self.running()
        started = [process.name for process in self.processes]
        return [name for name in dict.fromkeys([*self._commands, *started]) if name not in running]

    def pause_api_server(self) -> None:
        """End the API server alone; etcd keeps what it stored."""
        self.end_process("kube-apiserver", grace_seconds=0.0)

    def resume_api_server(self) -> None:
        """Start the API server again on the port it had, and wait until it is ready."""
        self._spawn("kube-apiserver")
        self._await_api_server()

    def restart_api_server(self) -> None:
        """Take the API server away and bring it back at once."""
        self.pause_api_server()
        self.resume_api_server()

    def attach(
        self, name: str, command: list[str], environment: Mapping[str, str] | None = None
    ) -> Process:
        """Start another program that lives no longer than the control plane, logging there."""
        surroundings = {**os.environ, **(environment or {})}
        return self._spawn_one(name, command, surroundings)

    def end_process(self, name: str, grace_seconds: float = 10.0) -> None:
        """End one program, asked first if there is grace; nothing happens if it does not run."""
        gone = [process for process in self.processes if process.name == name]
        processes.end(gone, self._children, grace_seconds)
        self.processes = [process for process in self.processes if process not in gone]
        self._record()

    def environment(self) -> dict[str, str]:
        """Give what `helm` and `kubectl` need: a kubeconfig, and caches of its own."""
        home = self.folder / "home"
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(home / "kube"),
            "HELM_CACHE_HOME": str(home / "helm-cache"),
            "HELM_CONFIG_HOME": str(home / "helm-config"),
            "HELM_DATA_HOME": str(home / "helm-data"),
        }

    def run(
        self,
        program: str,
        *arguments: str,
        stdin: str | None = None,
        check: bool = True,
        timeout_seconds: float = 120.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run `helm` or `kubectl` as the administrator.

        A failure raises RuntimeError with what it printed, unless unchecked.
        """
        done = subprocess.run(
            [str(self.programs[program]), *arguments],
            env={**os.environ, **self.environment()},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
        if check and done.returncode != 0:
            said = (done.stderr + done.stdout).strip()
            raise RuntimeError(f"{program} {' '.join(arguments)}: code {done.returncode}: {said}")
        return done

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run `kubectl` as the administrator and return what it printed."""
        return self.run("kubectl", *arguments, stdin=stdin).stdout

    def await_definitions(self, *which: str, timeout_seconds: float = 60.0) -> None:
        """Wait until CustomResourceDefinitions, named as for `kubectl wait`, are served.

        `kubectl wait` gives up on one so new that it has no conditions yet: asked again. Their
        objects can be reached a little later than the definition says.
        """
        deadline = time.monotonic() + timeout_seconds
        wait = ("wait", *which, "--for=condition=Established", "--timeout=60s")
        while self.run("kubectl", *wait, check=False).returncode != 0:
            if time.monotonic() > deadline:
                self.kubectl(*wait)
                return
            time.sleep(POLL_SECONDS)
        named = [argument for argument in which if argument != "--all"]
        found = json.loads(self.kubectl("get", *named, "--output=json"))
        for definition in found.get("items", [found]):
            spec = definition["spec"]
            for version in spec["versions"]:
                if version["served"]:
                    path = f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}"
                    self._await_answer(f"{path}?limit=1", deadline)

    def _await_answer(self, path: str, deadline: float) -> None:
        while True:
            try:
                self.api.request("GET", path)
            except Refused:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)
            else:
                return

    def helm(self, *arguments: str, stdin: str | None = None) -> str:
        """Run `helm` as the administrator and return what it printed."""
        return self.run("helm", *arguments, stdin=stdin).stdout

    def kubeconfig_for(self, token: str, name: str, namespace: str = "default") -> Path:
        """Write a kubeconfig for a token into the state folder."""
        return credentials_of.write_kubeconfig(
            self.layout.kubeconfig_of(name),
            server=self.server,
            ca_certificate=self.ca_certificate,
            token=token,
            namespace=namespace,
        )

    def service_account_token(self, namespace: str, name: str, seconds: int = 86400) -> str:
        """Ask for a token of a ServiceAccount."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        spec = {"spec": {"expirationSeconds": seconds}}
        answer: dict[str, Any] = self.api.request("POST", path, spec)
        return str(answer["status"]["token"])

    def _prepare(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.folder / "logs").mkdir(exist_ok=True)
        made = credentials_of.make_credentials(self.layout.secrets)
        ports = flags.Ports(*free_ports(3))
        self.server, self.tokens = ports.server, made.tokens
        self._commands = flags.commands(self.programs, self.layout, ports, made)
        flags.write_audit_policy(self.layout)
        credentials_of.write_kubeconfig(
            self.kubeconfig,
            server=self.server,
            ca_certificate=self.ca_certificate,
            token=self.token,
        )
        for name in ("kube-controller-manager", "kube-scheduler", "kwok"):
            self.kubeconfig_for(self.tokens[f"system:{name}"], name)
        self._record()

    def _start_guard(self) -> None:
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "tools.controlplane", "guard", str(self.folder.resolve())],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _spawn(self, *names: str) -> None:
        for name in names:
            self._spawn_one(name, self._commands[name])

    def _spawn_one(
        self, name: str, command: list[str], environment: Mapping[str, str] | None = None
    ) -> Process:
        process, child = processes.spawn(name, command, self.layout.log(name), environment)
        self.processes.append(process)
        self._children.append(child)
        # Written each time: whoever has to clean up knows of every program that runs.
        self._record()
        return process

    def _record(self) -> None:
        record = {
            "server": self.server,
            "processes": [asdict(process) for process in self.processes],
            "programs": {name: str(path) for name, path in self.programs.items()},
            "tokens": dict(self.tokens),
            "commands": self._commands,
        }
        part = self.layout.record.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps(record, indent=1), encoding="utf-8")
        part.rename(self.layout.record)

    def _await_api_server(self) -> None:
        self._await("kube-apiserver", lambda: bool(self.api.request("GET", "/readyz")))

    def _furnish(self) -> None:
        for number in range(1, NODES + 1):
            self._create("/api/v1/nodes", _node(f"node-{number}"))
        self._create("/apis/storage.k8s.io/v1/storageclasses", STORAGE_CLASS)

    def _create(self, path: str, body: object) -> None:
        try:
            self.api.request("POST", path, body)
        except Refused as refused:
            if refused.code != CONFLICT:
                raise

    def _await_controllers(self) -> None:
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        nodes = "/api/v1/nodes"
        self._await("kube-controller-manager", lambda: bool(self.api.request("GET", account)))
        self._await("kwok", lambda: _all_ready(self.api.request("GET", nodes)))

    def _await(self, program: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        problem = "it did not become ready"
        while time.monotonic() < deadline:
            self._fail_if_ended()
            try:
                if ready():
                    return
            except (OSError, Refused) as error:
                problem = str(error)
            time.sleep(POLL_SECONDS)
        raise StartFailed(
            self._report(program, f"not ready after {READY_SECONDS:.0f} s: {problem}")
        )

    def _fail_if_ended(self) -> None:
        # Of what was attached it is another's business: it may end because the API server is away.
        for process in self.processes:
            if process.name in self._commands and not processes.alive(process):
                code = next((c.poll() for c in self._children if c.pid == process.pid), None)
                raise StartFailed(self._report(process.name, f"ended with code {code}"))

    def _report(self, program: str, problem: str) -> str:
        log = processes.tail(self.layout.log(program))
        return f"{program} {problem}; the end of its log:\n{log}"


def existing(folder: Path) -> Cluster | None:
    """Find the control plane that was started in a folder, if one was."""
    try:
        return Cluster.load(folder)
    except FileNotFoundError:
        return None


def remove(folder: Path, grace_seconds: float = 2.0) -> None:
    """End whatever was started in a folder, and remove the folder; nothing there is fine too."""
    if cluster := existing(folder):
        cluster.stop(grace_seconds)
    # A start that was killed early leaves files and no record.
    shutil.rmtree(folder, ignore_errors=True)
    if STATES.is_dir() and not any(STATES.iterdir()):
        STATES.rmdir()


def free_ports(count: int) -> list[int]:
    """Find ports on 127.0.0.1 that nobody listens on."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise StartFailed(f"no {count} free ports between {PORTS.start} and {PORTS.stop}")


STORAGE_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {
        "name": "kwok-volume",
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
    },
    "provisioner": "kwok.x-k8s.io/volume",
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "Immediate",
}


def _node(name: str) -> dict[str, Any]:
    # Without ephemeral-storage, pods that ask for some are never scheduled.
    room = {"cpu": "64", "memory": "256Gi", "pods": "2000", "ephemeral-storage": "1Ti"}
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": f"zone-{name}",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"allocatable": room, "capacity": room},
    }


def _all_ready(nodes: dict[str, Any]) -> bool:
    ready = [
        condition
        for node in nodes["items"]
        for condition in node["status"].get("conditions", [])
        if condition["type"] == "Ready" and condition["status"] == "True"
    ]
    return len(ready) == NODES
