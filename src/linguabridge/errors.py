"""The one kind of error that users see: a sentence that names the culprit and the way out."""

from __future__ import annotations


class LinguabridgeError(Exception):
    """Something the user can mend. The message is one sentence or two: what is wrong, and what to do about it.

    The command line prints the message alone and exits with code 2; ``--debug`` adds the traceback. Line ends, control
    characters and halves of characters, which file names and servers bring along, are written as escapes.
    """

    def __str__(self) -> str:
        """The message, in one line."""
        return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in super().__str__())


class InputError(LinguabridgeError):
    """An argument, a lexicon, a text or a folder that cannot be used as given."""


class TooLongError(InputError):
    """A prompt is longer than the model reads."""


class ModelError(LinguabridgeError):
    """A model that cannot be loaded, has no taps, or computes values that are not finite."""


class DownloadError(LinguabridgeError):
    """Something had to be fetched and could not be."""


class CacheError(LinguabridgeError):
    """The cache folder cannot be written or read."""


class EndpointError(LinguabridgeError):
    """A server that cannot be reached, refuses, or cannot do what is asked of it."""


class ClusterError(LinguabridgeError):
    """A Ray cluster that cannot be reached, has no room, or loses its workers."""


def first_line(error: BaseException) -> str:
    """The beginning of what another library's error says; its name where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
