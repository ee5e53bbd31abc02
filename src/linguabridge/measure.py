"""Everything that needs the model, measured once and kept: the only place where results meet the cache.

Each method's key is the content of its question (texts, prompts, options, neurons) and the model's identity, so
whatever asks the same question again, in this run or another, for this pair or another, gets the answer from the cache.

Where the model is on workers of a cluster (:mod:`linguabridge.cluster`), several questions are under way at a time.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from linguabridge.cache import Arrays, Artefact, Cache, computing_versions, digest
from linguabridge.errors import ClusterError
from linguabridge.lazy_model import LazyModel
from linguabridge.neurons import NeuronSet, NeuronSpace
from linguabridge.parts import Shares, planned, shares_each
from linguabridge.profile import BlockedProfile, LanguageProfile, check_read, summed
from linguabridge.progress import Reporter, SayingOnly, Step, nothing
from linguabridge.prompts import Ending
from linguabridge.text_bits import TextBits
from linguabridge.texts import MAX_LENGTH, Text

_PROMPTS_A_WORKER = 64  # of probes, at least: fewer are not worth the way
T = TypeVar("T")
Sized_ = TypeVar("Sized_", bound=Sized)
R = TypeVar("R")


class Measurements:
    """Asks the model, or the cache. Safe to ask from several threads.

    Methods that name a function pass on to it, and it describes what goes in and out. Beside that, ``text`` is what is
    read, ``title`` stands above the bar, and ``ending`` says when an answer is over.

    Args:
        model: loaded, or its workers started, only if something is not in the cache.
        cache: where results are kept.
        reporter: shows progress.
    """

    def __init__(self, model: LazyModel, cache: Cache, reporter: Reporter | None = None) -> None:
        self.model = model
        self.cache = cache
        self.reporter = reporter or Reporter()
        self._turns: dict[str, threading.Lock] = {}
        self._companions = 1  # how many of the same kind are asked at the time
        self._cancelled = threading.Event()  # one of them failed

    def each(self, title: str, items: Sequence[T], ask: Callable[[Measurements, T], R]) -> list[R]:
        """Ask about each item: one after the other, or of as many as there are workers at a time, in one bar.

        Args:
            title: of the bar.
            items: pairs, languages, texts…
            ask: told whom to ask, and an item.

        Returns:
            What ``ask`` gives, in the order of the items.
        """
        if not self._spread:
            return [ask(self, item) for item in items]
        inner = copy.copy(self)
        inner.reporter = SayingOnly(self.reporter)
        inner._companions = len(items)
        inner._cancelled = threading.Event()
        with self.reporter.step(title, len(items)) as advance:
            return self._at_once(lambda item: ask(inner, item), items, lambda _: advance(), inner._cancelled.set)

    def profile(self, text: Text, *, max_tokens: int, count_special: bool = False) -> LanguageProfile:
        """Activation statistics of a text; see :func:`linguabridge.collect.profile_text`."""

        def compute() -> tuple[Arrays, Mapping[str, Any]]:
            from linguabridge.collect import profile_part, profile_text

            self._ready()
            with self.reporter.step(f"Reading neurons: {text.language.name}", max_tokens) as advance:
                parts = self._parts_of_text(max_tokens)
                asked: dict[str, Any] = {"max_tokens": max_tokens, "count_special": count_special}

                def share(part: int) -> LanguageProfile:
                    def read() -> tuple[Arrays, Mapping[str, Any]]:
                        return told(self.call(profile_part, text, part=part, parts=parts, **asked))

                    return _as_profile(shares.answer(part, parts, read))

                if parts > 1:
                    one = summed(self._at_once(share, range(parts), lambda _: advance(max_tokens / parts)))
                    check_read(one)
                else:
                    one = self.call(profile_text, text, advance=advance, total=max_tokens, **asked)
            return told(one)

        def told(one: LanguageProfile) -> tuple[Arrays, Mapping[str, Any]]:
            arrays = {"positive": one.positive, "total": one.total}
            facts = {**self._about(text), "tokens": one.tokens, **one.space.facts}
            return arrays | ({} if one.routed is None else {"routed": one.routed}), facts

        key = self.key(text=text.sha256, max_tokens=max_tokens, max_length=MAX_LENGTH, count_special=count_special)
        shares = Shares(self.cache, "profile", key)
        found = self._kept("profile", key, compute)
        shares.remove()
        return _as_profile(found)

    def blocks(self, text: Text, *, max_tokens: int, blocks: int, shuffle: int | None = None) -> BlockedProfile:
        """Activation statistics by block of a text; see :func:`linguabridge.collect.profile_blocks`."""

        def compute() -> tuple[Arrays, Mapping[str, Any]]:
            from linguabridge.collect import profile_blocks

            self._ready()
            read = "Reading neurons" if shuffle is None else "Reading shuffled text"
            with self.reporter.step(f"{read}: {text.language.name}", max_tokens) as advance:
                asked: dict[str, Any] = {"max_tokens": max_tokens, "blocks": blocks, "shuffle": shuffle}
                one = self.call(profile_blocks, text, advance=advance, total=max_tokens, **asked)
            arrays = {
                "positive": one.positive,
                "total": one.total,
                "tokens": one.tokens,
                "token_ids": one.token_ids,
                "token_counts": one.token_counts,
            }
            if one.routed is not None:
                arrays["routed"] = one.routed
            return arrays, {**self._about(text), **one.space.facts}

        key = self.blocks_key(text, max_tokens=max_tokens, blocks=blocks, shuffle=shuffle)
        found = self._kept("blocks", key, compute)
        return BlockedProfile(space=NeuronSpace.of_facts(found.facts), **found.arrays)

    def blocks_key(self, text: Text, *, max_tokens: int, blocks: int, shuffle: int | None = None) -> dict[str, Any]:
        """What :meth:`blocks` keeps its answer under; for keys of what is computed from it.

        Args:
            text: as there.
            max_tokens: as there.
            blocks: as there.
            shuffle: as there.

        Returns:
            The key.
        """
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

        def compute() -> tuple[Arrays, Mapping[str, Any]]:
            from linguabridge.perplexity import bits_per_byte

            self._ready()
            with self.reporter.step(f"Measuring perplexity: {text.language.name}", max_tokens) as advance:
                one = self.call(bits_per_byte, text, max_tokens=max_tokens, advance=advance, total=max_tokens)
            arrays = {"bits": one.bits, "bytes": one.bytes, "tokens": one.tokens}
            return arrays, {"language": text.language.code, "source": text.source}

        key = self.key(text=text.sha256, max_tokens=max_tokens, max_length=MAX_LENGTH)
        return TextBits(**self._kept("perplexity", key, compute).arrays)

    def option_scores(
        self, title: str, prompts: Sequence[str], options: Sequence[Sequence[str]], *, whole: bool = False
    ) -> NDArray[np.float64]:
        """Likelihoods, shape (prompts, options); see :func:`linguabridge.likelihood.option_log_probabilities`."""
        # The same question is asked once: data repeat a text for each question on it.
        questions = list(dict.fromkeys(zip(prompts, map(tuple, options), strict=True)))
        # By text, so that prompts with a common beginning come together and share it.
        order = sorted(range(len(questions)), key=lambda i: questions[i][0])

        def scored(part: Sequence[int], advance: Step) -> NDArray[np.float64]:
            asked, choices = [questions[i][0] for i in part], [list(questions[i][1]) for i in part]

            def compute() -> tuple[Arrays, Mapping[str, Any]]:
                from linguabridge.likelihood import option_log_probabilities

                scores = self.call(option_log_probabilities, asked, choices, whole=whole, advance=advance)
                return {"scores": scores}, {"about": title}

            key = self.key(prompts=digest(asked), options=digest(choices), whole=whole)
            return self._kept("likelihood", key, compute, lambda: advance(len(part))).arrays["scores"]

        sizes = [len(prompt) + sum(map(len, some)) for prompt, some in questions]
        found: dict[tuple[str, tuple[str, ...]], NDArray[np.float64]] = {}
        for part, scores in self._by_part(title, planned(order, sizes), len(questions), scored):
            found.update(zip((questions[i] for i in part), scores, strict=True))
        return np.array([found[one] for one in zip(prompts, map(tuple, options), strict=True)])

    def answers(self, title: str, prompts: Sequence[str], ending: Ending) -> list[str]:
        """Greedy answers, raw; see :func:`linguabridge.generate.greedy_answers`."""
        questions = list(dict.fromkeys(prompts))  # the same is asked once
        # Alike in length together.
        order = sorted(range(len(questions)), key=lambda i: (len(questions[i]), questions[i]))

        def answered(part: Sequence[int], advance: Step) -> list[str]:
            asked = [questions[i] for i in part]

            def compute() -> tuple[Arrays, Mapping[str, Any]]:
                from linguabridge.generate import greedy_answers

                texts = self.call(
                    greedy_answers,
                    asked,
                    finished=ending.reached,
                    max_new_tokens=ending.max_new_tokens,
                    advance=advance,
                )
                return {}, {"about": title, "answers": texts}

            key = self.key(
                prompts=digest(asked),
                max_new_tokens=ending.max_new_tokens,
                until=list(ending.stops),
                quoted=ending.quoted,
            )
            return list(self._kept("answers", key, compute, lambda: advance(len(part))).facts["answers"])

        found: dict[str, str] = {}
        parts = planned(order, [len(prompt) for prompt in questions])
        for part, texts in self._by_part(title, parts, len(questions), answered):
            found.update(zip((questions[i] for i in part), texts, strict=True))
        return [found[prompt] for prompt in prompts]

    def probe_matrix(
        self, title: str, prompts: Sequence[str], neurons: NeuronSet, *, count_special: bool = False
    ) -> NDArray[np.float32]:
        """Activations of neurons, shape (neurons, prompts); see :func:`linguabridge.probing.probe_matrix`."""
        key = self.key(
            prompts=digest(list(prompts)), neurons=digest(neurons.flat.tolist()), count_special=count_special
        )
        shares = Shares(self.cache, "probes", key)

        def compute() -> tuple[Arrays, Mapping[str, Any]]:
            from linguabridge.probing import probe_matrix

            self._ready()
            size = max(_PROMPTS_A_WORKER, -(-len(prompts) // self._workers)) if self._spread else max(1, len(prompts))
            parts = [range(at, min(at + size, len(prompts))) for at in range(0, max(1, len(prompts)), size)]

            def read(part: range, advance: Step) -> NDArray[np.float32]:
                asked = prompts[part.start : part.stop]
                return self.call(probe_matrix, asked, neurons, count_special=count_special, advance=advance)

            def share(part: range, advance: Step) -> NDArray[np.float32]:
                if len(parts) == 1:
                    return read(part, advance)
                number = part.start // size
                kept = shares.answer(number, len(parts), lambda: ({"values": read(part, nothing)}, {"about": title}))
                return kept.arrays["values"]

            found = self._by_part(title, parts, len(prompts), share)
            return {"values": np.concatenate([values for _, values in found], axis=1)}, {"about": title}

        found = self._kept("probes", key, compute)
        shares.remove()
        return found.arrays["values"]

    def linear_kernels(self, title: str, prompts: Sequence[str], *, of: str = "neurons") -> NDArray[np.float32]:
        """Kernels, shape (layers, prompts, prompts); see :func:`linguabridge.probing.linear_kernels`."""

        def compute() -> tuple[Arrays, Mapping[str, Any]]:
            from linguabridge.probing import linear_kernels

            self._ready()
            with self.reporter.step(title, len(prompts)) as advance:
                kernels = self.call(linear_kernels, prompts, of=of, advance=advance, total=len(prompts))
            return {"kernels": kernels}, {"about": title}

        key = self.key(prompts=digest(list(prompts)), of=of)
        return self._kept("kernels", key, compute).arrays["kernels"]

    def token_counts(self, title: str, texts: Sequence[str]) -> NDArray[np.int64]:
        """Number of tokens of each text in the model's tokenizer, special tokens left out.

        Args:
            title: of the texts.
            texts: any.

        Returns:
            Array of shape (texts,).
        """

        def compute() -> tuple[Arrays, Mapping[str, Any]]:
            from linguabridge.model import token_counts

            return {"counts": self.call(token_counts, texts)}, {"about": title}

        key = {"tokenizer": self.model.files.tokenizer_sha256, "texts": digest(list(texts))}
        return self._kept("tokens", key, compute).arrays["counts"]

    def call(
        self, function: Callable[..., R], *args: Any, advance: Step | None = None, total: float = 0.0, **more: Any
    ) -> R:
        """What a function of the model gives, run here or on a worker; nothing of it is kept.

        Args:
            function: of a module; its first argument is the model.
            args: its other arguments.
            advance: told how far it is; of a worker, when all is done.
            total: what all is.
            more: arguments by name.

        Returns:
            What it gives.

        Raises:
            ClusterError: something else that was asked at the same time has failed.
        """
        if not self._spread:
            return function(self.model.loaded, *args, **({} if advance is None else {"advance": advance}), **more)
        if self._cancelled.is_set():
            raise ClusterError("Not asked any more, because something else failed.")
        found = self.model.workers.call(function, *args, **more)
        if advance is not None:
            advance(total)
        return found

    def key(self, **question: Any) -> dict[str, Any]:
        """A question to this model, as a cache key.

        Args:
            question: all that the answer depends on beside the model; JSON values only.

        Returns:
            The key.
        """
        return {"model": self.model.key, "computed_by": computing_versions(), **question}

    def _about(self, text: Text) -> dict[str, Any]:
        files = self.model.files
        about = {"model": files.name, "revision": files.revision}
        return {**about, "language": text.language.code, "source": text.source}

    def _kept(
        self,
        kind: str,
        key: Mapping[str, Any],
        compute: Callable[[], tuple[Arrays, Mapping[str, Any]]],
        found_already: Callable[[], None] = lambda: None,
    ) -> Artefact:
        """What is kept under a key, or else computed; of several threads that ask the same, the first computes.

        Args:
            kind: as in :meth:`linguabridge.cache.Cache.get`.
            key: likewise.
            compute: gives arrays and facts.
            found_already: called where nothing was computed.
        """
        with self._turns.setdefault(digest([kind, key]), threading.Lock()):
            if found := self.cache.get(kind, key):
                found_already()
                return found
            return self.cache.computed(kind, key, compute)

    def _ready(self) -> None:
        """Load the model, or start its workers, before the bar of what is asked of it."""
        _ = self.model.workers if self._spread else self.model.loaded

    @property
    def _spread(self) -> bool:
        return self.model.options.cluster is not None

    @property
    def _workers(self) -> int:
        return len(self.model.workers) if self._spread else 1

    def _parts_of_text(self, tokens: int) -> int:
        """In how many shares to read a text, each of a window at least."""
        if not self._spread:
            return 1
        import torch

        from linguabridge.batches import window

        device = torch.device("cpu" if self.model.computes[0] == "cpu" else "cuda")
        return shares_each(self._workers, self._companions, -(-tokens // window(device)))

    def _at_once(
        self,
        ask: Callable[[T], R],
        items: Sequence[T],
        done: Callable[[T], None],
        cancel: Callable[[], None] = lambda: None,
    ) -> list[R]:
        """Ask about as many items as there are workers at a time."""
        from linguabridge.threads import in_threads

        model = self.model
        return in_threads(ask, items, at_a_time=model.at_a_time, done=done, cancel=cancel, stop=model.stop_workers)

    def _by_part(
        self, title: str, parts: Iterable[Sized_], total: int, ask: Callable[[Sized_, Step], R]
    ) -> list[tuple[Sized_, R]]:
        """Ask part by part: one after the other, or of as many as there are workers at a time."""
        every = list(parts)
        with self.reporter.step(title, total) as advance:
            if not self._spread:
                return [(part, ask(part, advance)) for part in every]
            found = self._at_once(lambda part: ask(part, nothing), every, lambda part: advance(len(part)))
            return list(zip(every, found, strict=True))


def _as_profile(kept: Artefact) -> LanguageProfile:
    return LanguageProfile(NeuronSpace.of_facts(kept.facts), tokens=kept.facts["tokens"], **kept.arrays)
