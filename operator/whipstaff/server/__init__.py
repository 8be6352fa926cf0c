"""Serve packaged charts over HTTP: `whipstaff serve`.

Nothing here knows the cluster, and nothing here opens an archive: that is done in `workers`. What
is stored is the charts alone; the index is made of them, in memory.
"""
