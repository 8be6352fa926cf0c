"""Go's behaviours that Helm's templates depend on: values, printf, YAML and JSON, regular expressions, time, versions.

Nothing here knows templates, charts or Kubernetes, and nothing reads a clock, a file or the network.
"""
