"""Where the command begins: what has to hold before its modules are imported."""

import os
import signal
import sys


def start() -> None:
    """Run the command; Ctrl-C ends it in silence while it is still imported."""
    _begin_in_utf_8()
    _fill_closed_streams()
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # not where a shell has it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from whipstaff.cli.main import main  # noqa: PLC0415 - what is to be guarded

    signal.signal(signal.SIGINT, before)
    main()


def _begin_in_utf_8() -> None:
    """Begin again where the locale has another encoding: names and values come as they are typed.

    Python has read its arguments by then, and reads the names of files, in that of the locale.
    """
    if sys.getfilesystemencoding() != "utf-8" and sys.executable:
        again = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
        os.execv(sys.executable, again)  # noqa: S606 - this same program


def _fill_closed_streams() -> None:
    """Put something in place of standard streams that are closed, lest a socket gets their numbers.

    What is written there is lost, and whoever reads is told that there is nothing to read from.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), mode))
