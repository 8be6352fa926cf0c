"""Flags of helm's that there are not here, each with what to do instead."""

from collections.abc import Mapping

_DESCRIPTION = (
    "the operator says in a description how a revision came about; say why in the commit, or in an "
    "annotation of the HelmRelease"
)
_OF_RELEASES = {
    "--description": _DESCRIPTION,
    "--enable-dns": "templates look up no host names: put addresses into values",
    "--labels": (
        "stored revisions have the operator's labels alone: put labels on the HelmRelease, with "
        "`kubectl label helmrelease`, and on objects by spec.commonMetadata"
    ),
    "--post-renderer": "the operator runs no programs: spec.postRenderers changes what is rendered",
    "--post-renderer-args": (
        "the operator runs no programs: spec.postRenderers changes what is rendered"
    ),
    "--render-subchart-notes": (
        "the operator keeps the notes of the chart alone: `helm template` and the like render the "
        "others"
    ),
}
_REPLACE = "an install replaces nothing: `whipstaff upgrade --install --force-replace` does"

_KUBECONFIG = "write a kubeconfig and name it with --kubeconfig"
_OF_THE_CLUSTER = (
    *("--kube-apiserver", "--kube-token", "--kube-as-user", "--kube-as-group", "--kube-ca-file"),
    *("--kube-tls-server-name", "--kube-insecure-skip-tls-verify"),
)

# By the words of the command, then by the flag.
ABSENT: Mapping[str, Mapping[str, str]] = {
    "install": {**_OF_RELEASES, "--force-replace": _REPLACE, "--force": _REPLACE},
    "upgrade": _OF_RELEASES,
    "uninstall": {"--description": _DESCRIPTION},
    "template": dict.fromkeys(_OF_THE_CLUSTER, _KUBECONFIG),
}
_LONG = {"-l": "--labels"}


def instead_of(command: str, flag: str) -> str:
    """Say what to do in place of a flag of a command; empty if helm has none of the name."""
    known = ABSENT.get(command, {})
    return known.get(flag) or known.get(_LONG.get(flag[:2], ""), "")
