"""kopf at the rim: start, stop, signals; the queue of passes, the probes and the Lease.

Decides nothing about a release: that is `planning`, called by `reconcile`. Nothing else in the
package knows kopf.
"""
