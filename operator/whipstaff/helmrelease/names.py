"""The names by which the API server knows us."""

GROUP = "whipstaff.dev"
VERSION = "v1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "HelmRelease"
PLURAL = "helmreleases"
CRD_NAME = f"{PLURAL}.{GROUP}"

# Not the name that kopf's settings carry: kopf takes its own finalizer off what it does not handle.
FINALIZER = f"{GROUP}/finalizer"

REQUESTED_AT = f"{GROUP}/requestedAt"  # annotation; a new value asks for a pass now

FIELD_MANAGER = "whipstaff"  # of our own status, finalizers and Secrets
