"""Flux's repositories of charts, which become HelmRepositories of ours."""

from whipstaff.cli.conversion.drafts import NO_EQUAL, Draft
from whipstaff.cli.conversion.flux import KEPT, WHOSE
from whipstaff.cli.conversion.flux_charts import folder_of, is_plain, needs_repository
from whipstaff.cli.conversion.originals import Original, Path
from whipstaff.cli.conversion.surroundings import Surroundings, carry_marks, without_login
from whipstaff.helmrepository.names import KIND

_SPEC: Path = ("spec",)
_PLACES: dict[Path, Path] = {(): ("metadata",), _SPEC: _SPEC}
_NAMESPACE = "kubernetes.io/metadata.name"  # the label that every namespace has
_SAME = (
    *("interval", "timeout", "secretRef", "certSecretRef", "passCredentials", "insecure"),
    "suspend",
)


def helmrepository(original: Original, around: Surroundings) -> list[Draft]:
    """Convert a HelmRepository."""
    draft = _begun(original)
    if not without_login(draft, original, ("spec", "url"), ("spec", "url")):
        raise original.unconvertible(("spec", "url"), "is missing, or no text")
    for name in _SAME:
        draft.move(original, ("spec", name))
    original.text("spec", "type")  # the URL says so
    if original.at("spec", "provider") == "generic":
        original.take("spec", "provider")
    draft.lose(
        original,
        ("spec", "provider"),
        "was left out: logins of cloud providers are not supported, secretRef takes a login",
        place=_SPEC,
    )
    _allow(draft, original, around)
    draft.tell_of_rest(original, _PLACES, NO_EQUAL)
    return [draft]


def oci_repository(original: Original, around: Surroundings) -> list[Draft] | None:
    """Convert an OCIRepository of charts; None if it stays Flux's, or nobody uses it."""
    users = around.users_of(original)
    homes = [str(user.at("metadata", "namespace") or "") for user in users]
    if not users or not any(is_plain(original, home) for home in homes):
        return None
    if not needs_repository(original):
        carry = users[0]
        carry.tell_of_rest(original, {(): ("spec", "chart")}, NO_EQUAL)
        return []
    draft = _begun(original)
    draft.put(("spec", "url"), folder_of(original), (original, ("spec", "url")))
    for name in ("interval", "timeout", "secretRef", "certSecretRef", "insecure"):
        draft.move(original, ("spec", name))
    _allow(draft, original, around)
    draft.tell_of_rest(original, _PLACES, NO_EQUAL)
    return [draft]


def _begun(original: Original) -> Draft:
    draft = Draft.new(KIND, original.name, original.namespace, original.subject)
    carry_marks(draft, original, WHOSE, KEPT)
    return draft


def _allow(draft: Draft, original: Original, around: Surroundings) -> None:
    """Say who may use it: Flux lets all namespaces, and has only a wish for another rule."""
    homes = {str(one.at("metadata", "namespace") or "") for one in around.users_of(original)}
    allowed = sorted(homes - {"", original.namespace})
    selectors = original.items("spec", "accessFrom", "namespaceSelectors")
    for at, selector in enumerate(selectors):
        labels = selector.get("matchLabels") if isinstance(selector, dict) else None
        if labels in (None, {}) and isinstance(selector, dict):
            allowed.append("*")
        elif isinstance(labels, dict) and set(labels) == {_NAMESPACE}:
            allowed.append(str(labels[_NAMESPACE]))
        else:
            continue
        original.take("spec", "accessFrom", "namespaceSelectors", at)
    if allowed:
        origin = (original, ("spec", "accessFrom"))
        draft.put(("spec", "allowedNamespaces"), list(dict.fromkeys(allowed)), origin)


def helmchart(original: Original, around: Surroundings) -> list[Draft] | None:
    """Tell of what is left of a HelmChart that a HelmRelease took its chart from."""
    users = around.users_of(original)
    if not users:
        return None
    users[0].tell_of_rest(original, {(): ("spec", "chart")}, NO_EQUAL)
    return []
