"""The loop of one release: observe, classify, decide, prepare, act, record.

Talks to the world through the Protocols of `ports` only; what to do is decided in `planning`.
"""
