"""What of a spec, beside the inputs, decides how an attempt at them ends.

Who changes it after a failure wants the same inputs tried again.
"""

import hashlib
import json
from dataclasses import asdict, fields

from whipstaff.helmrelease.types import ActionOptions, ImmutableFields, PruneOptions, Spec
from whipstaff.release.marks import Marks, Rejected
from whipstaff.release.revision import RevisionHeader

_DIGEST_CHARACTERS = 32
# These say what follows a failure, and not whether there is one.
_AFTERWARDS = frozenset({"remediation", "retry_seconds"})
_BLANK = ActionOptions()


def options_digest(spec: Spec, action: str) -> str:
    """Return a digest of the options of an action, fit for a label.

    What is as it would be by itself is left out, so that a new option changes no digest.
    """
    releases = action in ("install", "upgrade")
    counted = {
        **_given(_block(spec, action)),
        "createNamespace": spec.create_namespace,
        "serviceAccount": spec.service_account_name,
        "waitStrategy": str(spec.wait_strategy),
        "healthChecks": [asdict(check) for check in spec.health_checks],
        "stableGenerated": releases and spec.stable_generated,
        "tests": asdict(spec.test) if releases and spec.test.enable else {},
    }
    canonical = json.dumps(
        {name: value for name, value in counted.items() if value}, sort_keys=True
    )
    return hashlib.sha256(canonical.encode()).hexdigest()[:_DIGEST_CHARACTERS]


def tried_otherwise(spec: Spec, failed: RevisionHeader) -> bool:
    """Whether a failed revision was tried with other options than spec has now."""
    noted = Marks.of(failed)
    return noted.options not in ("", options_digest(spec, noted.action))


def rejected_otherwise(spec: Spec, rejected: Rejected, action: str) -> bool:
    """Whether inputs were rejected that were tried with other options than spec has now."""
    return rejected.options not in ("", options_digest(spec, action))


def _block(spec: Spec, action: str) -> ActionOptions:
    match action:
        case "install":
            return spec.install
        case "upgrade":
            return spec.upgrade
        case _:
            return spec.rollback


def _given(options: ActionOptions) -> dict[str, object]:
    names = [field.name for field in fields(options) if field.name not in _AFTERWARDS]
    given = {name: getattr(options, name) for name in names}
    return {
        name: asdict(each) if isinstance(each, ImmutableFields | PruneOptions) else each
        for name, each in given.items()
        if each != getattr(_BLANK, name)
    }
