"""Measurements against Helm, from one run each; the last result is kept in `bench/results`."""
