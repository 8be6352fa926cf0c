"""Releases as JSON for programs and for the pages of people: `whipstaff gateway`.

Every request acts as whoever sent it, so nobody is given the operator's rights. No manifest and no
value is kept here, and nothing is said about a release to who may not read its HelmRelease.
"""
