"""Decide what should happen to a release.

Everything here is a function of its arguments: no clock, no network, no logging. If a decision
needs a new fact, add it to `Observation` and let `reconcile.observe` read it.
"""
