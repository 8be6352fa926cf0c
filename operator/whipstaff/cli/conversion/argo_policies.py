"""How Argo CD syncs, as what a HelmRelease says of it."""

import re

from whipstaff.cli.conversion.drafts import NO_EQUAL, Draft
from whipstaff.cli.conversion.originals import Original, Path
from whipstaff.release.revision import JsonObject

_SPEC: Path = ("spec",)
_SYNC: Path = ("spec", "syncPolicy")
# Ways to sync that are the only ones here, or of which nothing is to be seen.
_SAME_OPTIONS = frozenset(
    {
        *("ServerSideApply=true", "ApplyOutOfSyncOnly=true", "PruneLast=true", "Validate=true"),
        *("RespectIgnoreDifferences=true", "SkipDryRunOnMissingResource=true", "Replace=false"),
        *("Prune=true", "Delete=true", "CreateNamespace=false", "FailOnSharedResource=false"),
        *("ServerSideApply=auto", "Force=false", "ClientSideApplyMigration=true"),
    }
)


def write_policies(draft: Draft, original: Original) -> None:
    """Write what an Application says besides its sources and its destination."""
    if original.at("spec", "project") == "default":
        original.take("spec", "project")
    draft.lose(
        original,
        ("spec", "project"),
        "was left out: what a release may do is a matter of spec.serviceAccountName",
        place=_SPEC,
    )
    draft.move(original, ("spec", "revisionHistoryLimit"), ("spec", "maxHistory"))
    _automated(draft, original)
    for at, option in enumerate(original.items(*_SYNC, "syncOptions")):
        if isinstance(option, str):
            _option(draft, original, (*_SYNC, "syncOptions", at), option)
    draft.lose(
        original,
        (*_SYNC, "retry"),
        "was left out: spec.install and spec.upgrade say what follows a failure, in remediation or"
        " strategy",
        place=_SPEC,
    )
    _differences(draft, original)


def _automated(draft: Draft, original: Original) -> None:
    automated = (*_SYNC, "automated")
    by_hand = original.at(*automated) is None or original.flag(*automated, "enabled") is False
    if original.at(*automated) is not None:
        original.flag(*automated, "enabled")
        heals = original.flag(*automated, "selfHeal")
        if heals:
            origin = (original, (*automated, "selfHeal"))
            draft.put(("spec", "driftDetection", "mode"), "enabled", origin)
        if original.flag(*automated, "prune") is False:
            text = "what a chart has no more is deleted; spec.upgrade.maxPrune: 0 forbids it"
            draft.tell(original, (*automated, "prune"), text, place=_SPEC)
        original.flag(*automated, "allowEmpty")  # no release is empty by mistake: it fails first
    if by_hand:
        text = "syncs were asked for by hand: spec.approval: Manual has each change wait for you"
        draft.tell(original, _SYNC, text, place=_SPEC, lost=False)


def _option(draft: Draft, original: Original, path: Path, option: str) -> None:
    name, _, value = option.partition("=")
    told: list[tuple[Path, object]] = []
    match name, value.lower():
        case "CreateNamespace", "true":
            told = [(("spec", "createNamespace"), True)]
        case "Replace", "true":
            told = [(("spec", "upgrade", "force"), True)]
        case "Validate", "false":
            told = [
                (("spec", action, "disableOpenAPIValidation"), True)
                for action in ("install", "upgrade")
            ]
        case "PrunePropagationPolicy", "foreground" | "background" | "orphan":
            told = [(("spec", "uninstall", "deletionPropagation"), value.lower())]
        case _:
            pass
    for field, said in told:
        draft.put(field, said, (original, path))
    if told or option in _SAME_OPTIONS:
        original.take(*path)
    draft.lose(original, path, NO_EQUAL, place=_SPEC)


def _differences(draft: Draft, original: Original) -> None:
    """Write ignoreDifferences; names are regular expressions here."""
    rules = []
    for at, _ in enumerate(original.items("spec", "ignoreDifferences")):
        base: Path = ("spec", "ignoreDifferences", at)
        text = "was left out: paths are JSON pointers, such as /spec/replicas"
        draft.lose(original, (*base, "jqPathExpressions"), text, place=("spec", "driftDetection"))
        pointers = original.items(*base, "jsonPointers")
        managers = original.take(*base, "managedFieldsManagers")  # what others own is no drift
        if pointers or managers:
            original.take(*base, "jsonPointers")
            target = _target(original, base)
            rule: JsonObject = {"paths": pointers, **({"target": target} if target else {})}
            rules += [rule] if pointers else []
    if rules:
        origin = (original, ("spec", "ignoreDifferences"))
        draft.put(("spec", "driftDetection", "ignore"), rules, origin)


def _target(original: Original, base: Path) -> dict[str, str]:
    target = {}
    for name in ("group", "kind", "name", "namespace"):
        word = original.text(*base, name)
        if word:
            target[name] = ".*".join(re.escape(part) for part in word.split("*"))
    return target
