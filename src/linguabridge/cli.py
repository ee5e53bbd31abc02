"""The command line."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import Annotated, NoReturn

import typer

from linguabridge.commands.ablate import ablate
from linguabridge.commands.ask import ask
from linguabridge.commands.cache import cache_app
from linguabridge.commands.doctor import doctor
from linguabridge.commands.evaluate import evaluate
from linguabridge.commands.examples import ROOT, epilog
from linguabridge.commands.export import export
from linguabridge.commands.inspect import inspect_model
from linguabridge.commands.languages import list_languages
from linguabridge.commands.recommend import recommend
from linguabridge.commands.report import report
from linguabridge.commands.spectrum import spectrum
from linguabridge.commands.stability import stability
from linguabridge.commands.study import study
from linguabridge.commands.view import view
from linguabridge.errors import LinguabridgeError, first_line
from linguabridge.terminal import terminal

app = typer.Typer(
    help="Which bridge language should my language model go through, and does it help?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog=ROOT,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"linguabridge {version('linguabridge')}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[  # noqa: ARG001 - acts through its callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    _State.debug = _State.debug or debug


class _State:
    debug = False


for name, command in (
    ("recommend", recommend),
    ("spectrum", spectrum),
    ("evaluate", evaluate),
    ("ablate", ablate),
    ("study", study),
    ("stability", stability),
    ("report", report),
    ("export", export),
    ("view", view),
    ("ask", ask),
    ("languages", list_languages),
    ("inspect", inspect_model),
    ("doctor", doctor),
):
    app.command(name, epilog=epilog(name))(command)
app.add_typer(cache_app, name="cache")


def main() -> None:
    """Run the command line: one sentence and exit code 2 for what the user can mend, 130 after Ctrl-C.

    What is left shows a traceback: it is a mistake of ours, and a report needs it.
    """
    # Before torch is loaded: threads that spin while they wait for each other bring a machine shared with another torch
    # process to a crawl, ten times slower as measured.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    _State.debug = "--debug" in sys.argv  # wherever it stands
    sys.argv = [word for word in sys.argv if word != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not where it is closed
            # Names of languages, and paths, hold signs that not every terminal's encoding has.
            with contextlib.suppress(OSError):  # a stream that was put elsewhere since it was opened
                stream.reconfigure(errors="backslashreplace")
    try:
        try:
            # Names wrong usage itself; typer brings its own click, whose exceptions have no public name.
            app(prog_name="linguabridge")
        finally:
            if sys.stdout:  # None where it is closed
                sys.stdout.flush()  # what cannot be written shows here, not when the interpreter ends
    except LinguabridgeError as error:
        _refuse(str(error))
    except io.UnsupportedOperation:  # an OSError by descent, but a mistake of ours
        raise
    except OSError as error:
        # The end of the interpreter would try once more to print what is left.
        with contextlib.suppress(AttributeError, OSError):  # standard output that is closed, or no file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.EPIPE:  # who read it, such as head, has read enough
            sys.exit(1)
        _refuse(str(LinguabridgeError(_said_by_the_system(error))))
    except MemoryError as error:
        why = f" ({first_line(error)})" if str(error) else ""
        _refuse(
            f"The machine's memory does not hold what this needs{why}: close other programs, ask for less (fewer "
            "tokens, words or languages), take a smaller model, or run it on a machine with more."
        )
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != 130:  # 130 is what typer makes of Ctrl-C
            raise
        terminal(stderr=True).print("Stopped; what was finished is kept, and the same command goes on from there.")
        sys.exit(130)


def _said_by_the_system(error: OSError) -> str:
    """What the system refused, with the way out, as a sentence."""
    what = os.fsdecode(error.filename) if error.filename and isinstance(error.filename, str | bytes) else None
    why = error.strerror or first_line(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what = what or "What the command prints"
        return f"{what} cannot be written ({why}); make room there, or write to another place."
    if what is not None:
        return f"{what} cannot be read or written ({why}): make it so, or name another place; --debug tells more."
    return (
        f"The system refuses what this needs ({why}): see that disks and network are in order and try again; --debug "
        "tells more."
    )


def _refuse(why: str) -> NoReturn:
    if _State.debug:
        terminal(stderr=True).print_exception()
    terminal(stderr=True).print(f"Error: {why}", style="red", highlight=False, soft_wrap=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
