"""What people write about where charts come from: the HelmRepository, and what its status says.

Knows the custom resource and nothing else: no network, no Secret, no clock.
"""
