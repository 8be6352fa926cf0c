"""The names by which the API server knows a HelmRepository."""

from whipstaff.helmrelease.names import GROUP

KIND = "HelmRepository"
PLURAL = "helmrepositories"
CRD_NAME = f"{PLURAL}.{GROUP}"
