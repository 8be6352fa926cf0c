"""One chart's life twice, by a HelmRelease and by the helm CLI: told by the audit log."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby

from tests.builders.live_releases import LiveReleases
from tools.chartrepo import ChartRepository
from tools.controlplane import audit
from tools.running_operator import ACCOUNT, NAMESPACE

NAME = "x"  # of the release
OURS = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
WAIT = ("--wait", "--timeout", "60s")
STAGES = ("install", "upgrade", "rollback", "uninstall")
RECORDS = frozenset({"helmreleases", "helmreleases/status", "events"})


@dataclass(frozen=True, slots=True)
class Write:
    """One object that was created (however that was asked for) or deleted."""

    verb: str  # create or delete
    resource: str  # plural
    name: str  # with NS for the name of the namespace

    def __str__(self):
        return f"{self.verb} {self.resource}/{self.name}"

    @property
    def of_hook(self):
        return self.name.startswith(("hook-", "NS-hook-", "hooks.NS"))


@dataclass
class Life:
    """What was written in each stage of one release's life."""

    namespace: str
    stages: dict[str, list[Write]] = field(default_factory=dict)

    def hooks(self, stage):
        return [write for write in self.stages[stage] if write.of_hook]

    def objects(self, stage):
        return [write for write in self.stages[stage] if not write.of_hook]

    def verbs(self, stage, name):
        """Give what was done to the object of that name, in order."""
        return [write.verb for write in self.stages[stage] if write.name == name]

    def said(self, stage):
        """Tell a stage as texts, the objects of one kind that were written together by name.

        Helm writes objects of a kind at the same time, so that their order says nothing.
        """
        told = []
        for _, writes in groupby(self.stages[stage], key=_together):
            told += sorted(map(str, writes))
        return told


def _together(write):
    return (write.verb, write.resource, write.name if write.of_hook else "")


def writes_of(control_plane, start, namespace, *, user="", user_agent=""):
    """List first creations and deletions in a namespace, or of what is named after it, in order."""
    log = control_plane.audit_log
    there, found = set(), []
    for request in audit.writes(log, start, user=user, user_agent=user_agent):
        if not _counts(request, namespace):
            continue
        name = request.name.replace(namespace, "NS")
        verb = "delete" if request.verb == "delete" else "create"
        if verb == "delete":
            there.discard((request.resource, name))
        elif (request.resource, name) in there:
            continue
        else:
            there.add((request.resource, name))
        found.append(Write(verb, request.resource, name))
    return found


def _counts(request, namespace):
    if request.resource in RECORDS or request.name.startswith("sh.helm.release."):
        return False
    return request.code < 300 and (request.namespace == namespace or namespace in request.name)


class OurLife:
    """Takes a release through its life by edits of its HelmRelease."""

    def __init__(self, control_plane, namespace, repository):
        self.life = Life(namespace)
        self.releases = LiveReleases(control_plane, namespace, repository.url)
        self._control_plane = control_plane

    def stage(self, stage, do):
        start = self._control_plane.audit_log.stat().st_size
        do(self.releases)
        namespace = self.life.namespace
        self.life.stages[stage] = writes_of(self._control_plane, start, namespace, user=OURS)


class HelmLife:
    """Takes a release through its life by the helm CLI."""

    def __init__(self, control_plane, namespace, repository):
        self.life = Life(namespace)
        self._control_plane = control_plane
        self._namespace = namespace
        self.source = ("--repo", repository.url)

    def stage(self, stage, *arguments, check=True):
        start = self._control_plane.audit_log.stat().st_size
        done = self._control_plane.run("helm", *arguments, "-n", self._namespace, check=check)
        self.life.stages[stage] = writes_of(
            self._control_plane, start, self._namespace, user_agent="Helm/"
        )
        return done


def both_lives(control_plane, prefix, chart, archives):
    """Install 1.0.0, upgrade to 1.1.0, roll back to 1 and uninstall, in two namespaces at once."""
    with ChartRepository() as repository, ThreadPoolExecutor(2) as both:
        for archive in archives:
            repository.add(archive)
        for side in ("ours", "helms"):
            control_plane.kubectl("create", "namespace", f"{prefix}-{side}")
        ours = both.submit(_our_life, OurLife(control_plane, f"{prefix}-ours", repository), chart)
        helms = both.submit(
            _helms_life, HelmLife(control_plane, f"{prefix}-helms", repository), chart
        )
        return ours.result(), helms.result()


def _our_life(our, chart):
    our.stage("install", lambda x: (x.create(NAME, chart, "1.0.0"), x.settled(NAME, 1)))
    our.stage("upgrade", lambda x: (x.choose(NAME, "1.1.0"), x.settled(NAME, 2)))
    our.stage("rollback", lambda x: (x.edit(NAME, revision=1), x.settled(NAME, 3)))
    our.stage("uninstall", lambda x: (x.delete(NAME), x.gone(NAME)))
    return our.life


def _helms_life(helms, chart):
    def version(number):
        return (chart, "--version", number, *helms.source, *WAIT)

    helms.stage("install", "install", NAME, *version("1.0.0"))
    helms.stage("upgrade", "upgrade", NAME, *version("1.1.0"))
    helms.stage("rollback", "rollback", NAME, "1", *WAIT)
    helms.stage("uninstall", "uninstall", NAME, *WAIT)
    return helms.life
