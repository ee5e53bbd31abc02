"""Everything that needs the model, measured once and kept: the only place where results meet the cache.

Each method's key is the content of its question (texts, prompts, options, neurons) and the model's identity, so
whatever asks the same question again, in this run or another, for this pair or another, gets the answer from the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linguabridge import languages
from linguabridge.cache import Cache, computing_versions, default_cache_dir, digest
from linguabridge.model import DEFAULT_MODEL, LazyModel, open_model
from linguabridge.neurons import NeuronSet, NeuronSpace
from linguabridge.profile import LanguageProfile, Profile
from linguabridge.progress import Reporter
from linguabridge.prompts import MAX_ANSWER_TOKENS, STOPS, answer_is_complete
from linguabridge.texts import MAX_LENGTH, Text, load_text


class Measurements:
    """Asks the model, or the cache.

    Args:
        model: loaded only if something is not in the cache.
        cache: where results are kept.
        reporter: shows progress.
    """

    def __init__(self, model: LazyModel, cache: Cache, reporter: Reporter | None = None) -> None:
        self.model = model
        self.cache = cache
        self.reporter = reporter or Reporter()

    def profile(self, text: Text, *, max_tokens: int, count_special: bool = False) -> LanguageProfile:
        """Activation statistics of a text; see :func:`linguabridge.collect.profile_text`."""
        key = self._key(text=text.sha256, max_tokens=max_tokens, max_length=MAX_LENGTH, count_special=count_special)
        if found := self.cache.get("profile", key):
            space = NeuronSpace(tuple(found.facts["widths"]))
            return LanguageProfile(space, found.arrays["positive"], found.arrays["total"], found.facts["tokens"])
        from linguabridge.collect import profile_text

        model = self.model.loaded
        with self.reporter.step(f"Reading neurons: {text.language.name}", max_tokens) as advance:
            one = profile_text(model, text.lines(), max_tokens=max_tokens, count_special=count_special, advance=advance)
        facts = {
            "model": self.model.files.name,
            "revision": self.model.files.revision,
            "language": text.language.code,
            "source": text.source,
            "tokens": one.tokens,
            "widths": list(one.space.widths),
        }
        self.cache.put("profile", key, {"positive": one.positive, "total": one.total}, facts)
        return one

    def option_scores(
        self, title: str, prompts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> NDArray[np.float64]:
        """Likelihood of options; see :func:`linguabridge.likelihood.option_log_probabilities`."""
        key = self._key(prompts=digest(list(prompts)), options=digest([list(some) for some in options]))
        if found := self.cache.get("likelihood", key):
            return found.arrays["scores"]
        from linguabridge.likelihood import option_log_probabilities

        model = self.model.loaded
        with self.reporter.step(title, len(prompts)) as advance:
            scores = option_log_probabilities(model, prompts, options, advance=advance)
        self.cache.put("likelihood", key, {"scores": scores}, {"about": title})
        return scores

    def answers(self, title: str, prompts: Sequence[str]) -> list[str]:
        """Greedy answers, raw; see :func:`linguabridge.generate.greedy_answers`."""
        key = self._key(prompts=digest(list(prompts)), max_new_tokens=MAX_ANSWER_TOKENS, until=list(STOPS))
        if found := self.cache.get("answers", key):
            return list(found.facts["answers"])
        from linguabridge.generate import greedy_answers

        model = self.model.loaded
        with self.reporter.step(title, len(prompts)) as advance:
            answers = greedy_answers(
                model, prompts, finished=answer_is_complete, max_new_tokens=MAX_ANSWER_TOKENS, advance=advance
            )
        self.cache.put("answers", key, {}, {"about": title, "answers": answers})
        return answers

    def probe_matrix(
        self, title: str, prompts: Sequence[str], neurons: NeuronSet, *, count_special: bool = False
    ) -> NDArray[np.float32]:
        """Activations of chosen neurons on prompts; see :func:`linguabridge.collect.probe_matrix`."""
        key = self._key(
            prompts=digest(list(prompts)), neurons=digest(neurons.flat.tolist()), count_special=count_special
        )
        if found := self.cache.get("probes", key):
            return found.arrays["values"]
        from linguabridge.collect import probe_matrix

        model = self.model.loaded
        with self.reporter.step(title, len(prompts)) as advance:
            values = probe_matrix(model, prompts, neurons, count_special=count_special, advance=advance)
        self.cache.put("probes", key, {"values": values}, {"about": title})
        return values

    def tokens_per_word(self, title: str, words: Sequence[str]) -> float:
        """Mean number of tokens of a word in the model's tokenizer, special tokens left out."""
        key = {"tokenizer": self.model.files.tokenizer_sha256, "words": digest(list(words))}
        if found := self.cache.get("tokens", key):
            return float(found.facts["tokens_per_word"])
        model = self.model.loaded
        counts = [sum(token not in model.special_ids for token in model.encode(word)) for word in words]
        mean = float(np.mean(counts))
        self.cache.put("tokens", key, {}, {"about": title, "tokens_per_word": mean})
        return mean

    def _key(self, **question: Any) -> dict[str, Any]:
        return {"model": self.model.key, "computed_by": computing_versions(), **question}


def profile_languages(
    codes: Sequence[str],
    *,
    model: str | LazyModel = DEFAULT_MODEL,
    texts: str | None = None,
    tokens: int = 5000,
    seed: int = 0,
    cache: Cache | None = None,
    reporter: Reporter | None = None,
) -> Profile:
    """Activation statistics of several languages in a model.

    Args:
        codes: languages, in any usual form.
        model: name of a model, or one from :func:`linguabridge.model.open_model`.
        texts: as in :func:`linguabridge.texts.load_text`; None for CLDR names.
        tokens: of text read for each language, at most.
        seed: of the order of the names, and of what is kept for checks.
        cache: where results are kept; the user's cache folder by default.
        reporter: shows progress; silent by default.

    Raises:
        LinguabridgeError: the input cannot be used; the message says how to mend it.
    """
    cache = cache or Cache(default_cache_dir())
    lazy = open_model(model, cache=cache, reporter=reporter) if isinstance(model, str) else model
    measure = Measurements(lazy, cache, reporter)
    found = [load_text(texts, languages.parse(code), seed) for code in codes]
    return Profile({text.language.code: measure.profile(text, max_tokens=tokens) for text in found})
