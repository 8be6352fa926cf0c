"""Whipstaff: a Kubernetes operator that runs Helm charts from HelmRelease objects."""
