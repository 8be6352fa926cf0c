"""Manage Helm releases from Kubernetes: watch HelmReleases, render, apply, keep every revision.

Imports only point down the layers that docs/architecture.md lists; nothing happens on import.
"""
