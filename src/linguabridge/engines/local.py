"""The model in this process, by transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from linguabridge.cache import Arrays, computed_by, computing_versions, digest
from linguabridge.engines.engine import SCORINGS, as_scored
from linguabridge.errors import InputError
from linguabridge.measure import Measurements
from linguabridge.model_files import CHAT_TEMPLATES, file_sha256
from linguabridge.prompts import Ending, Prompt

if TYPE_CHECKING:
    from linguabridge.model import LanguageModel


class Local:
    """Answers by :class:`linguabridge.measure.Measurements`, prompts being written plainly or by the chat template.

    Args:
        measure: asks the model or the cache.
        chat: put prompts as the user's turn of a chat, by the tokenizer's own template.
    """

    scorings = SCORINGS

    def __init__(self, measure: Measurements, *, chat: bool = False) -> None:
        self.measure = measure
        self.chat = chat

    @property
    def name(self) -> str:
        """What the user called the model."""
        return self.measure.model.files.name

    @property
    def identity(self) -> Mapping[str, Any]:
        """Hashes of the model's files, its device and dtype, and whether the chat template is used."""
        return {**self.measure.model.key, "revision": self.measure.model.files.revision, "chat_template": self.chat}

    def option_scores(
        self, title: str, prompts: Sequence[Prompt], options: Sequence[Sequence[str]], *, whole: bool = False
    ) -> NDArray[np.float64]:
        """See :meth:`linguabridge.engines.engine.Engine.option_scores`."""
        if self.chat:
            pairs = zip(prompts, options, strict=True)
            options = [[as_scored(option, prompt, True) for option in some] for prompt, some in pairs]
        return self.measure.option_scores(title, self._written(prompts), options, whole=whole)

    def answers(self, title: str, prompts: Sequence[Prompt], ending: Ending) -> list[str]:
        """See :meth:`linguabridge.engines.engine.Engine.answers`."""
        return self.measure.answers(title, self._written(prompts), ending)

    def _written(self, prompts: Sequence[Prompt]) -> list[str]:
        if not self.chat:
            return [prompt.written for prompt in prompts]
        files, cache = self.measure.model.files, self.measure.cache
        key = {
            "tokenizer": files.tokenizer_sha256,
            # Newer folders keep the template beside the tokenizer.
            "templates": {one.name: file_sha256(one, cache) for one in sorted(files.folder.glob(CHAT_TEMPLATES))},
            "remote_code": self.measure.model.options.trust_remote_code,
            "prompts": digest([[prompt.text, prompt.start] for prompt in prompts]),
            "computed_by": {**computing_versions(), **computed_by("engines/local.py")},
        }

        def compute() -> tuple[Arrays, dict[str, Any]]:
            return {}, {"written": self.measure.call(_by_template, prompts)}

        return list(cache.computed("chat-prompts", key, compute).facts["written"])


def _by_template(model: LanguageModel, prompts: Sequence[Prompt]) -> list[str]:
    tokenizer = model.tokenizer
    if not tokenizer.chat_template:
        raise InputError(
            f"{model.name} has no chat template, so it is no instruction-tuned model; leave out --chat-template."
        )
    # A template writes BOS itself, and the tokenizer adds one to every text: one of them is enough.
    twice = tokenizer.bos_token if model.encode("a")[:1] == [tokenizer.bos_token_id] else None
    written = []
    for prompt in prompts:
        chat = [{"role": "user", "content": prompt.text}]
        # Templates of models that can think, or not (Qwen3), know the last word; others overlook it.
        text = str(
            tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True, enable_thinking=False)
        )
        written.append(text.removeprefix(twice or "") + prompt.start)
    return written
