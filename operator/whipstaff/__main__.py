"""`python -m whipstaff`."""

from whipstaff.cli.start import start

start()
