"""Parse and render what strangers wrote, in child processes with limits of memory, time and output.

The main process sees JSON only: no YAML, no archive and no template is read there. A child has no
credentials; what it wants of the cluster it asks for, one `lookup` at a time.
"""
