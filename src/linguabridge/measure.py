"""Everything that needs the model, measured once and kept: the only place where results meet the cache.

Each method's key is the content of its question (texts, prompts, options, neurons) and the model's identity, so
whatever asks the same question again, in this run or another, for this pair or another, gets the answer from the cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linguabridge import languages
from linguabridge.cache import Cache, computing_versions, default_cache_dir, digest
from linguabridge.model import DEFAULT_MODEL, LazyModel, open_model
from linguabridge.neurons import NeuronSet, NeuronSpace
from linguabridge.profile import BlockedProfile, LanguageProfile, Profile
from linguabridge.progress import Reporter
from linguabridge.prompts import Ending
from linguabridge.text_bits import TextBits
from linguabridge.texts import MAX_LENGTH, Text, load_text

# What is asked together, and kept as soon as it is answered: a killed run loses one such batch. Batches are planned
# from the whole list of questions, so that a run that goes on computes the same batches, and gets the same numbers.
_BATCH_PROMPTS, _BATCH_CHARACTERS = 512, 100_000


def planned(order: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    """Cut an order of questions in batches.

    Args:
        order: numbers of the questions.
        sizes: of each question by its number, in characters.
    """
    part: list[int] = []
    held = 0
    for number in order:
        if part and (len(part) == _BATCH_PROMPTS or held + sizes[number] > _BATCH_CHARACTERS):
            yield part
            part, held = [], 0
        part.append(number)
        held += sizes[number]
    if part:
        yield part


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
        key = self.key(text=text.sha256, max_tokens=max_tokens, max_length=MAX_LENGTH, count_special=count_special)
        if found := self.cache.get("profile", key):
            return LanguageProfile(NeuronSpace.of_facts(found.facts), tokens=found.facts["tokens"], **found.arrays)
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
            **one.space.facts,
        }
        arrays = {"positive": one.positive, "total": one.total}
        self.cache.put("profile", key, arrays | ({} if one.routed is None else {"routed": one.routed}), facts)
        return one

    def blocks(self, text: Text, *, max_tokens: int, blocks: int, shuffle: int | None = None) -> BlockedProfile:
        """Activation statistics by block of a text; see :func:`linguabridge.collect.profile_blocks`."""
        key = self.blocks_key(text, max_tokens=max_tokens, blocks=blocks, shuffle=shuffle)
        if found := self.cache.get("blocks", key):
            return BlockedProfile(space=NeuronSpace.of_facts(found.facts), **found.arrays)
        from linguabridge.collect import profile_blocks

        model = self.model.loaded
        read = "Reading neurons" if shuffle is None else "Reading shuffled text"
        with self.reporter.step(f"{read}: {text.language.name}", max_tokens) as advance:
            one = profile_blocks(
                model, text.lines(), max_tokens=max_tokens, blocks=blocks, shuffle=shuffle, advance=advance
            )
        facts = {
            "model": self.model.files.name,
            "revision": self.model.files.revision,
            "language": text.language.code,
            "source": text.source,
            **one.space.facts,
        }
        arrays = {
            "positive": one.positive,
            "total": one.total,
            "tokens": one.tokens,
            "token_ids": one.token_ids,
            "token_counts": one.token_counts,
        }
        if one.routed is not None:
            arrays["routed"] = one.routed
        self.cache.put("blocks", key, arrays, facts)
        return one

    def blocks_key(self, text: Text, *, max_tokens: int, blocks: int, shuffle: int | None = None) -> dict[str, Any]:
        """What :meth:`blocks` keeps its answer under; for keys of what is computed from it."""
        return self.key(
            text=text.sha256,
            max_tokens=max_tokens,
            max_length=MAX_LENGTH,
            blocks=blocks,
            cut="by tokens, none empty",  # how blocks are made; another way is another question
            shuffle=shuffle,
        )

    def bits_per_byte(self, text: Text, *, max_tokens: int) -> TextBits:
        """How well the model predicts a text; see :func:`linguabridge.perplexity.bits_per_byte`."""
        key = self.key(text=text.sha256, max_tokens=max_tokens, max_length=MAX_LENGTH)
        if found := self.cache.get("perplexity", key):
            return TextBits(**found.arrays)
        from linguabridge.perplexity import bits_per_byte

        model = self.model.loaded
        with self.reporter.step(f"Measuring perplexity: {text.language.name}", max_tokens) as advance:
            one = bits_per_byte(model, text.lines(), max_tokens=max_tokens, advance=advance)
        arrays = {"bits": one.bits, "bytes": one.bytes, "tokens": one.tokens}
        self.cache.put("perplexity", key, arrays, {"language": text.language.code, "source": text.source})
        return one

    def option_scores(
        self, title: str, prompts: Sequence[str], options: Sequence[Sequence[str]], *, whole: bool = False
    ) -> NDArray[np.float64]:
        """Likelihood of options; see :func:`linguabridge.likelihood.option_log_probabilities`."""
        # The same question is asked once: data repeat a text for each question on it.
        questions = list(dict.fromkeys(zip(prompts, map(tuple, options), strict=True)))
        # By text, so that prompts with a common beginning come together and share it.
        order = sorted(range(len(questions)), key=lambda i: questions[i][0])
        found: dict[tuple[str, tuple[str, ...]], NDArray[np.float64]] = {}
        with self.reporter.step(title, len(questions)) as advance:
            for part in planned(order, [len(prompt) + sum(map(len, some)) for prompt, some in questions]):
                asked, choices = [questions[i][0] for i in part], [list(questions[i][1]) for i in part]
                key = self.key(prompts=digest(asked), options=digest(choices), whole=whole)
                if stored := self.cache.get("likelihood", key):
                    scores = stored.arrays["scores"]
                    advance(len(part))
                else:
                    from linguabridge.likelihood import option_log_probabilities

                    scores = option_log_probabilities(self.model.loaded, asked, choices, whole=whole, advance=advance)
                    self.cache.put("likelihood", key, {"scores": scores}, {"about": title})
                found.update(zip((questions[i] for i in part), scores, strict=True))
        return np.array([found[one] for one in zip(prompts, map(tuple, options), strict=True)])

    def answers(self, title: str, prompts: Sequence[str], ending: Ending) -> list[str]:
        """Greedy answers, raw; see :func:`linguabridge.generate.greedy_answers`."""
        questions = list(dict.fromkeys(prompts))  # the same is asked once
        # Alike in length together.
        order = sorted(range(len(questions)), key=lambda i: (len(questions[i]), questions[i]))
        found: dict[str, str] = {}
        with self.reporter.step(title, len(questions)) as advance:
            for part in planned(order, [len(prompt) for prompt in questions]):
                asked = [questions[i] for i in part]
                key = self.key(
                    prompts=digest(asked),
                    max_new_tokens=ending.max_new_tokens,
                    until=list(ending.stops),
                    quoted=ending.quoted,
                )
                if stored := self.cache.get("answers", key):
                    texts = list(stored.facts["answers"])
                    advance(len(part))
                else:
                    from linguabridge.generate import greedy_answers

                    texts = greedy_answers(
                        self.model.loaded,
                        asked,
                        finished=ending.reached,
                        max_new_tokens=ending.max_new_tokens,
                        advance=advance,
                    )
                    self.cache.put("answers", key, {}, {"about": title, "answers": texts})
                found.update(zip(asked, texts, strict=True))
        return [found[prompt] for prompt in prompts]

    def probe_matrix(
        self, title: str, prompts: Sequence[str], neurons: NeuronSet, *, count_special: bool = False
    ) -> NDArray[np.float32]:
        """Activations of chosen neurons on prompts; see :func:`linguabridge.collect.probe_matrix`."""
        key = self.key(
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

    def linear_kernels(self, title: str, prompts: Sequence[str], *, of: str = "neurons") -> NDArray[np.float32]:
        """Kernels over prompts by layer; see :func:`linguabridge.collect.linear_kernels`."""
        key = self.key(prompts=digest(list(prompts)), of=of)
        if found := self.cache.get("kernels", key):
            return found.arrays["kernels"]
        from linguabridge.collect import linear_kernels

        model = self.model.loaded
        with self.reporter.step(title, len(prompts)) as advance:
            kernels = linear_kernels(model, prompts, of=of, advance=advance)
        self.cache.put("kernels", key, {"kernels": kernels}, {"about": title})
        return kernels

    def token_counts(self, title: str, texts: Sequence[str]) -> NDArray[np.int64]:
        """Number of tokens of each text in the model's tokenizer, special tokens left out; shape (texts,)."""
        key = {"tokenizer": self.model.files.tokenizer_sha256, "texts": digest(list(texts))}
        if found := self.cache.get("tokens", key):
            return found.arrays["counts"]
        model = self.model.loaded
        counts = np.array([sum(token not in model.special_ids for token in model.encode(text)) for text in texts])
        self.cache.put("tokens", key, {"counts": counts}, {"about": title})
        return counts

    def key(self, **question: Any) -> dict[str, Any]:
        """A question to this model, as a cache key."""
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
