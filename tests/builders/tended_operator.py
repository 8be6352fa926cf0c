"""The operator under a kubelet's care: asked for its liveness, and started again when it ended."""

import sys
import time

from tools.controlplane import credentials, processes
from tools.running_operator import ACCOUNT, NAMESPACE, RunningOperator

PERIOD_SECONDS = 1.0  # between two questions
FAILURES = 3  # in a row, and it is killed
START_SECONDS = 30.0  # after a start, no answer is no failure
POLL_SECONDS = 0.1


class TendedOperator(RunningOperator):
    """`whipstaff run` by way of another URL, with settings; whoever waits must `tend` it."""

    def __init__(self, cluster, name="whipstaff", server=None, **settings):
        super().__init__(cluster, name)
        self.restarts = 0
        self._server = server or cluster.server
        self._settings = {f"WHIPSTAFF_{key.upper()}": str(settings[key]) for key in settings}
        self._token = ""
        self._started = self._asked = 0.0
        self._failures = 0

    def launch(self):
        # A pod keeps its token and its name over the restarts of its container.
        kubeconfig = self._log_in() if not self._token else self._kubeconfig
        command = [
            *(sys.executable, "-m", "whipstaff", "run"),
            f"--kubeconfig={kubeconfig}",
            f"--probe-port={self.probe_port}",
            f"--identity={self.name}",
            f"--cache-folder={self.cluster.folder / 'charts'}",
        ]
        self._started, self._failures = time.monotonic(), 0
        environment = {"WHIPSTAFF_PROBE_HOST": "127.0.0.1", **self._settings}
        return self.cluster.attach(self.name, command, environment)

    def renew_token(self):
        """Put a new token where the operator reads it, as a kubelet does."""
        self._log_in()

    def tend(self):
        """Do what a kubelet would do by now."""
        now = time.monotonic()
        if now - self._asked < PERIOD_SECONDS:
            return
        self._asked = now
        if self.process is None:
            self._restart()
        elif self.answers("livez"):
            self._failures, self._started = 0, 0.0
        elif now - self._started > START_SECONDS:
            self._failures += 1
            if self._failures == FAILURES:
                self._restart()

    def eventually(self, check, seconds):
        """Wait for a check to return something true, and return it; tends the operator."""
        deadline = time.monotonic() + seconds
        while not (found := check()):
            assert time.monotonic() < deadline, (
                f"not within {seconds} s; the end of the operator's log:\n"
                f"{processes.tail(self.log, 40)}"
            )
            self.tend()
            time.sleep(POLL_SECONDS)
        return found

    def logged(self, message):
        """Say how often a message stands in the log."""
        return self.log.read_text(encoding="utf-8").count(f'"message": "{message}"')

    @property
    def _kubeconfig(self):
        return self.cluster.layout.kubeconfig_of(self.name)

    def _log_in(self):
        self._token = self.cluster.service_account_token(NAMESPACE, ACCOUNT)
        return credentials.write_kubeconfig(
            self._kubeconfig,
            server=self._server,
            ca_certificate=self.cluster.ca_certificate,
            token=self._token,
        )

    def _restart(self):
        self.kill()
        self.restarts += 1
        self.launch()
