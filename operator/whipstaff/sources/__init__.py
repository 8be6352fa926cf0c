"""Where charts come from: repositories over HTTP, and the cache of what was fetched.

Everything fetched is bounded, checked against its promised digest and kept by the digest it has.
Nothing of it is parsed here: workers do that.
"""
