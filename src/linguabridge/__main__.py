"""``python -m linguabridge``, and what the installed command runs."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it with 130 also while it is being imported, and not at all once it is done."""
    try:
        try:
            from linguabridge.cli import main as run

            run()
        finally:
            # The work has ended. Python gives Ctrl-C back to the system while torch is taken down, which would end with
            # the signal what had its results written.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            # Python run with -m ends with the signal instead of the code where Ctrl-C came while code given as text
            # ran, as dataclasses make it, though it was caught. Whatever is run as text takes that mark away.
            exec("")  # noqa: S102 - a constant
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
