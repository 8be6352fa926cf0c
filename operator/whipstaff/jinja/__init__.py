"""Render the templates of charts that ask for Jinja2 instead of Go's template language.

Templates reach plain data, Helm's functions and each other: no attribute of a Python object, no
file, no network. Jinja2's own sandbox stands behind that, not before it.
"""
