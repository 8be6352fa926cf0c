"""`python -m whipstaff`."""

from whipstaff.cli.main import main

main()
