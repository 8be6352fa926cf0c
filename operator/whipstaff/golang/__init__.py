"""Go behaviours that templates depend on, in Python.

Values and kinds, printf, YAML, JSON, TOML, RE2, time layouts, SemVer. Nothing here knows charts or
templates, and nothing does any I/O.
"""
