"""What answers questions: a model in this process, or a server. The interface, and what both share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from linguabridge.prompts import Ending, Prompt

# How a question with options can be decided (docs/evaluate.md).
TEXT = "text"  # likelihood of each option's text
LETTERS = "letters"  # likelihood of each option's letter, the options being listed in the prompt
GENERATED = "generated"  # a greedy answer, parsed
SCORINGS = (TEXT, LETTERS, GENERATED)


def as_scored(option: str, prompt: Prompt, chat: bool) -> str:
    """An option as it is written after its prompt: right after a chat template's line end, without a space in front."""
    return option.lstrip(" ") if chat and not prompt.start else option


class Engine(Protocol):
    """Answers prompts. What is finished is kept: the same questions again are answered from the cache."""

    @property
    def name(self) -> str:
        """What to call it in reports."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """What it is, for manifests: hashes and versions, or address and abilities; JSON values, never a secret."""

    @property
    def chat(self) -> bool:
        """Whether prompts are put as a user's turn of a chat: answers may then come after reasoning."""

    @property
    def scorings(self) -> tuple[str, ...]:
        """Which of :data:`SCORINGS` it can do."""

    def option_scores(
        self,
        title: str,
        prompts: Sequence[Prompt],
        options: Sequence[Sequence[str]],
        *,
        whole: bool = False,
    ) -> NDArray[np.float64]:
        """Log-likelihoods of options as they stand right after their prompt.

        Args:
            title: of the progress bar.
            prompts: n prompts.
            options: for each prompt the same number k >= 2 of continuations.
            whole: values are of the whole option. Otherwise tokens that all options of a prompt begin with may be left
                out, and values compare within a prompt only.

        Returns:
            Array of shape (n, k), natural logarithms.

        Raises:
            EndpointError: the server cannot do it, or fails; never a made-up value.
        """

    def answers(self, title: str, prompts: Sequence[Prompt], ending: Ending) -> list[str]:
        """Greedy answers, raw: what is written after each prompt, until ``ending`` is reached or a little beyond."""
