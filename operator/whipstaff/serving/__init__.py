"""Listen for HTTP with limits: sockets, TLS, patient connections, an orderly end.

What is answered is no business of this package: the chart server and the gateway both stand on it.
"""
