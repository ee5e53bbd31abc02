"""``python -m linguabridge``, and what the installed command runs."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it with 130 also while it is being imported."""
    try:
        try:
            from linguabridge.cli import main as run
        except KeyboardInterrupt:
            sys.exit(130)
        run()
    finally:
        # Python run with -m ends with the signal instead of the code where Ctrl-C came while code given as text ran, as
        # dataclasses make it, though it was caught. Whatever is run as text takes that mark away.
        exec("")  # noqa: S102 - a constant


if __name__ == "__main__":
    main()
