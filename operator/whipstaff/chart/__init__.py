"""Charts as Helm 4 reads them, from an archive's bytes to rendered manifests.

Everything here is a function of its arguments: no network, no clock, no cluster, and no file system
but for `folder.load` and `linting`, which the command line uses. What is untrusted is bounded
before it is parsed. Texts of errors are Helm's.
"""
