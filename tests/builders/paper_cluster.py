"""A cluster that keeps objects by their paths, for commands that speak to one from one thread."""

import copy
import itertools
import re

from whipstaff.errors import ClusterRefused
from whipstaff.kube.media_types import APPLY_PATCH

ESTABLISHED = [
    {"type": "Established", "status": "True"},
    {"type": "NamesAccepted", "status": "True"},
]
_PAIR = re.compile(r"!?[^,(]+?(?: in \([^)]*\))?(?=,|$)")


class PaperCluster:
    """Answers as `kube.direct.Direct` does; `lacking` holds the rights nobody has, as texts."""

    def __init__(self, *bodies, version="v1.34.1"):
        self.objects = {}
        self.version = version
        self.lacking = set()  # of "verb resource[.group]", or "all"
        self.forbidden = set()  # paths
        self.conflicts = 0  # how many of the next patches meet one
        self.writes = []  # (method, path)
        self.before_write = lambda call: None
        self._numbers = itertools.count(1)
        for path, body in bodies:
            self.put(path, body)

    def dies_after(self, writes):
        """Have whoever writes end after so many writes from now on; None: live."""
        left = None if writes is None else itertools.repeat(None, writes)

        def count(call):
            del call
            if left is not None and next(left, self) is self:
                raise SystemExit(137)

        self.before_write = count

    def put(self, path, body):
        kept = copy.deepcopy(body)
        number = str(next(self._numbers))
        kept["metadata"] = {"uid": path, **kept["metadata"], "resourceVersion": number}
        if "/customresourcedefinitions/" in path:
            kept["status"] = {"conditions": ESTABLISHED}
        self.objects[path] = kept
        return kept

    def get(self, path, query=None, *, accept="", subject=""):
        del query, accept
        if path == "/version":
            return {"gitVersion": self.version}
        self._check(path, subject)
        if path not in self.objects:
            raise ClusterRefused(f"{subject} not found", code=404)
        return copy.deepcopy(self.objects[path])

    def items(self, path, query=None, *, accept=""):
        del accept
        self._check(path, path)
        selector = (query or {}).get("labelSelector", "")
        collection, _, plural = path.rpartition("/")
        for there, body in sorted(self.objects.items()):
            place, _, _ = there.rpartition("/")
            within = place.startswith(f"{collection}/") and place.endswith(f"/{plural}")
            if within and _fits(body["metadata"].get("labels") or {}, selector):
                yield copy.deepcopy(body)

    def send(self, call):
        if call.path.endswith("selfsubjectaccessreviews"):
            return {"status": {"allowed": self._allowed(call.body["spec"])}}
        self.before_write(call)
        self._check(call.path, call.subject)
        self.writes.append((call.method, call.path))
        if call.method == "DELETE":
            if self.objects.pop(call.path, None) is None:
                raise ClusterRefused(f"{call.subject} not found", code=404)
            return {}
        live = self.get(call.path, subject=call.subject) if call.path in self.objects else {}
        if call.content_type == APPLY_PATCH:
            return self.put(call.path, call.body)
        if self.conflicts:
            self.conflicts -= 1
            raise ClusterRefused("somebody else was first", code=409)
        return self.put(call.path, _merged(live, call.body))

    def _check(self, path, subject):
        if path in self.forbidden:
            raise ClusterRefused(f"{subject} is forbidden", code=403)

    def _allowed(self, spec):
        if "nonResourceAttributes" in spec:
            return not self.lacking
        asked = spec["resourceAttributes"]
        part = f"/{asked['subresource']}" if asked["subresource"] else ""
        group = f".{asked['group']}" if asked["group"] else ""
        text = f"{asked['verb']} {asked['resource']}{part}{group}"
        if "*" in text:
            return not self.lacking
        return "all" not in self.lacking and text not in self.lacking


def _fits(labels, selector):
    for pair in _PAIR.findall(selector):
        if " in " in pair:
            name, _, words = pair.partition(" in ")
            if labels.get(name) not in words.strip("()").split(","):
                return False
        elif pair.startswith("!"):
            if pair[1:] in labels:
                return False
        elif labels.get(pair.partition("=")[0]) != pair.partition("=")[2]:
            return False
    return True


def _merged(live, patch):
    if not isinstance(patch, dict):
        return patch
    live = live if isinstance(live, dict) else {}
    kept = {**live, **{key: _merged(live.get(key), part) for key, part in patch.items()}}
    return {key: part for key, part in kept.items() if part is not None}
