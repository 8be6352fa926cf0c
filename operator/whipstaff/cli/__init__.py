"""The `whipstaff` command: reads flags, calls down, prints; each subcommand imports only its own.

No logic of a release lives here.
"""
