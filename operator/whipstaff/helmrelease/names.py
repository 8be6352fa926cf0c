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
# With the same value as REQUESTED_AT, as Flux has it:
FORCE_AT = f"{GROUP}/forceAt"  # asks for a revision, even if nothing changed or all retries failed
RESET_AT = f"{GROUP}/resetAt"  # asks to forget how often the inputs failed
# By itself, since it asks for nothing else:
TEST_AT = f"{GROUP}/testAt"  # asks to run the chart's tests on what runs
TEST_FILTER = f"{GROUP}/testFilter"  # … which of them, as in `helm test --filter`
TEST_TIMEOUT = f"{GROUP}/testTimeout"  # … and how long each may take

ASKING = (REQUESTED_AT, FORCE_AT, RESET_AT, TEST_AT, TEST_FILTER, TEST_TIMEOUT)
ORDERS = f"{GROUP}/orders"  # annotation: which requests with a key were carried out

FIELD_MANAGER = "whipstaff"  # of our own status, finalizers and Secrets
