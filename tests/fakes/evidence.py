"""Pods, events and logs in memory; tests/contracts/test_evidence.py holds the fake to the real."""

from whipstaff.errors import ClusterRefused


class FakeEvidence:
    """Holds what tests put there; `forbidden` refuses everything."""

    def __init__(self):
        self.forbidden = False
        self.asked = []  # (what, namespace, key) of each call
        self.all_pods = []
        self.all_events = []
        self.logs = {}  # (pod, container, previous) -> text

    async def pods(self, namespace, selector, identity):
        self._enter("pods", namespace, selector)
        wanted = dict(term.split("=") for term in selector.split(","))
        return [
            pod
            for pod in self.all_pods
            if pod["metadata"].get("namespace") == namespace
            and wanted.items() <= pod["metadata"].get("labels", {}).items()
        ][:50]

    async def events(self, namespace, kind, uid, identity):
        self._enter("events", namespace, uid)
        found = [each for each in self.all_events if each["involvedObject"]["uid"] == uid]
        if kind != "PersistentVolumeClaim":
            found = [each for each in found if each["type"] == "Warning"]
        return [each for each in found if each["metadata"].get("namespace") == namespace]

    async def log_tail(self, namespace, pod, container, identity, *, lines=1, previous=False):
        self._enter("log", namespace, pod)
        text = self.logs.get((pod, container, previous))
        if text is None:
            raise ClusterRefused(f"no log of {pod}", 400, "BadRequest")
        return "".join(text.splitlines(keepends=True)[-lines:])

    def _enter(self, what, namespace, key):
        self.asked.append((what, namespace, key))
        if self.forbidden:
            raise ClusterRefused("you may not", 403, "Forbidden")
