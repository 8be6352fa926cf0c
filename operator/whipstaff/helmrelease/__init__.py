"""What people write: the HelmRelease, read from JSON once and refused with a field's name.

Knows the custom resource and nothing else: no cluster, no chart, no clock. A stored object may be
older than the schema in `crds/`, so everything the schema promises is checked again.
"""
