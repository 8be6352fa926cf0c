"""What a stored release is: revisions, their record as Helm writes it, objects, history.

Pure: no network, no clock, no YAML. Records come in decoded (`workers` does that) and leave as
JSON objects.
"""
