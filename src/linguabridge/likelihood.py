"""How likely a model finds each of several answers to a prompt.

The likelihood of an option is the sum of the log-probabilities of its tokens and of its terminator. The prompt runs
once and its key/value cache serves all its options; what several prompts begin with runs once for all of them; the
vocabulary projection runs at scored positions only.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from linguabridge.beginnings import WORTH_SHARING, shared
from linguabridge.errors import InputError, ModelError
from linguabridge.memory import Halving, unless_full
from linguabridge.model import LanguageModel
from linguabridge.projection import LOGITS, Projection, log_normaliser, projection

_CACHED = 2**14  # tokens whose keys and values are held at once on a CPU, about
_CACHED_PART = 4  # on a GPU they may take this part of its memory: they are copied, and the pass itself needs room


def option_log_probabilities(
    model: LanguageModel,
    prompts: Sequence[str],
    options: Sequence[Sequence[str]],
    *,
    whole: bool = False,
    advance: Callable[[float], None] = lambda _: None,
) -> NDArray[np.float64]:
    """Log-likelihood of every option after its prompt, up to a constant per prompt unless ``whole``.

    Prompt and option are encoded together, as the model would see them written. Tokens that all options of a prompt
    share (the prompt, and what it merges with) are scored in none of them, so values compare within a prompt only, and
    do so also where a token spans the border of prompt and option. With ``whole`` every token after those of the prompt
    alone is scored (a token that spans the border too), which is what dividing by an option's length needs.

    Args:
        model: the model.
        prompts: n prompts. Where they begin alike, what they share runs once.
        options: for each prompt the same number k >= 2 of answers, terminators included.
        whole: score the tokens that all options begin with, too.
        advance: told the number of prompts done after each batch.

    Returns:
        Array of shape (n, k), natural logarithms.

    Raises:
        InputError: not every prompt has the same number of options, at least two, or one is longer than the model
            reads.
        ModelError: likelihoods are not finite.
    """
    sizes = {len(some) for some in options}
    if len(options) != len(prompts) or len(sizes) > 1 or sizes & {0, 1}:
        raise InputError("Every prompt needs the same number of options, at least two.")
    if not prompts:
        return np.zeros((0, 0))
    encoded = [[model.encode(p + option) for option in some] for p, some in zip(prompts, options, strict=True)]
    model.check_fits(max(len(one) for some in encoded for one in some))
    items = [
        _Item(some, model.encode(prompt) if whole else None) for prompt, some in zip(prompts, encoded, strict=True)
    ]
    out = np.zeros((len(prompts), sizes.pop()))
    with torch.inference_mode(), projection(model) as project:
        vocabulary = model.model.config.get_text_config(decoder=True).vocab_size
        # Each option holds keys and values of its whole text in the end.
        halving = Halving[list[int]](
            lambda numbers: sum(len(t) + len(items[n].stem) for n in numbers for t in items[n].tails)
        )
        solver = _Solver(model, project, items, out, LOGITS // vocabulary, _cached(model), advance, halving)
        order = sorted(range(len(items)), key=lambda number: items[number].stem)
        solver.solve(order, 0, None)
    if not np.isfinite(out).all():
        raise ModelError(f"{model.name} gives likelihoods that are not finite (NaN or infinity); try --dtype float32.")
    return out


def _cached(model: LanguageModel) -> int:
    """Tokens whose keys and values may be held at once.

    Of a GPU's memory as it was built, less the weights on it; not of what is free now: what runs together, and with it
    the last digits of a result, must be the same when a killed run goes on beside another program. Of several GPUs the
    one with the least room counts, as if it held all layers.
    """
    weights: dict[torch.device, int] = defaultdict(int)
    for weight in model.model.parameters():
        if weight.device.type == "cuda":
            weights[weight.device] += weight.nbytes
    if not weights:
        return _CACHED
    room = min(torch.cuda.mem_get_info(device)[1] - taken for device, taken in weights.items())
    return room // _CACHED_PART // _bytes_per_token(model)


def _bytes_per_token(model: LanguageModel) -> int:
    """What the keys and values of a token take in all layers; layers that forget (sliding windows) count in full."""
    config = model.model.config.get_text_config(decoder=True)
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    groups = getattr(config, "num_key_value_heads", None) or heads
    return int(2 * config.num_hidden_layers * groups * size * model.dtype.itemsize)


class _Item:
    """A prompt's options as tokens: a stem that all begin with, and a tail each.

    Attributes:
        stem: tokens that all options share, the prompt's among them.
        start: number of the first token that is scored; tokens of the stem from there on count in every option.
        tails: the rest of each option, at least one token.
    """

    def __init__(self, encoded: list[list[int]], prompt: list[int] | None) -> None:
        # Identical options, or one that is the beginning of another, keep a last token to be scored.
        length = min(shared(encoded), min(map(len, encoded)) - 1)
        self.start = length if prompt is None else min(length, shared([prompt, encoded[0]]))
        if self.start < 1:
            raise ModelError(
                "A prompt must encode to at least one token before its options; this tokenizer gives none."
            )
        self.stem = encoded[0][:length]
        self.tails = [one[length:] for one in encoded]


@dataclass(frozen=True)
class _Solver:
    """Walks the tree of common beginnings: each runs once, and its key/value cache serves all that begin with it."""

    model: LanguageModel
    project: Projection
    items: list[_Item]
    out: NDArray[np.float64]
    scored: int  # positions whose logits are held at once, about
    cached: int  # tokens whose keys and values are held at once, about
    advance: Callable[[float], None]
    halving: Halving[list[int]]

    def solve(self, numbers: list[int], done: int, cache: object | None) -> None:
        """Score items, ordered by their stems, whose first ``done`` tokens are in the cache."""
        alone: list[int] = []
        for group in self._groups(numbers, done):
            if len(group) == 1:
                alone += group
                continue
            trunk = self._trunk(group)
            grown = self._grown(self.items[group[0]].stem[done:trunk], cache)
            if grown is None:
                alone += group
            else:
                self.solve(group, trunk, grown)
        # Stems of one length run together, so that no row is padded on its left and no architecture needs to cope.
        by_length: dict[int, list[int]] = defaultdict(list)
        for number in alone:
            by_length[len(self.items[number].stem)].append(number)
        for length, some in sorted(by_length.items()):
            # The cache of key and value holds a stem once for each option: long ones go in smaller parts.
            room = min(self.scored, max(1, self.cached // length))
            sizes = [sum(map(len, self.items[n].tails)) + length - self.items[n].start for n in some]
            for part in _packed(some, sizes, room):
                self.halving.run(part, lambda numbers: self._write(numbers, done, cache))
                self.advance(len(part))

    def _grown(self, tokens: list[int], cache: object | None) -> object | None:
        """The cache with these tokens after it; None where memory does not hold it, and nothing can be shared."""
        ids = torch.tensor([tokens], device=self.model.device)
        first = torch.tensor([0], device=self.model.device)
        return unless_full(lambda: self.project(ids, first, cache=copy.deepcopy(cache))[1])

    def _write(self, numbers: list[int], done: int, cache: object | None) -> None:
        self.out[numbers] = self._score([self.items[number] for number in numbers], done, cache)

    def _trunk(self, group: list[int]) -> int:
        # What comes before the first scored token must run with its item, and so must one token at least.
        common = shared([self.items[group[0]].stem, self.items[group[-1]].stem])  # in order: the rest share it, too
        return min(common, min(self.items[number].start for number in group) - 1)

    def _groups(self, numbers: list[int], done: int) -> Iterator[list[int]]:
        """Neighbours that share enough of what is still to run to make it worth running apart."""
        group: list[int] = []
        for number in numbers:
            if group:
                trunk = self._trunk([*group, number])
                # A group with all that is left in common but a token or two would gain nothing by going on.
                left = len(self.items[number].stem) - done
                if trunk - done < max(WORTH_SHARING, left // 2):
                    yield group
                    group = []
            group.append(number)
        if group:
            yield group

    def _score(self, items: list[_Item], done: int, cache: object | None) -> NDArray[np.float64]:
        """Scores of items whose stems are equally long; shape (items, options)."""
        k, device = len(items[0].tails), self.model.device
        if cache is not None:
            cache = copy.deepcopy(cache)
            cache.batch_repeat_interleave(len(items))  # type: ignore[attr-defined]
        length = len(items[0].stem) - done
        stems = torch.tensor([item.stem[done:] for item in items], device=device)
        # In each stem: what its scored tokens follow, then its last position, which all first tokens of tails follow.
        within = [
            (row, at - done - 1, item.stem[at])
            for row, item in enumerate(items)
            for at in range(item.start, len(item.stem))
        ]
        at = [row * length + before for row, before, _ in within] + [
            row * length + length - 1 for row in range(len(items))
        ]
        logits, cache = self.project(stems, torch.tensor(at, device=device), cache=cache)
        last = torch.tensor([[tail[0] for tail in item.tails] for item in items], device=device)
        known = torch.tensor([[token] for _, _, token in within], device=device, dtype=torch.long)
        n = len(within)
        picked = [logits[:n].gather(1, known.view(n, 1)), logits[n:].gather(1, last)]
        normal = log_normaliser(logits)
        total = (picked[1].float() - normal[n:]).double()
        if within:
            rows = torch.tensor([row for row, _, _ in within], device=device)
            total.index_add_(0, rows, (picked[0].float() - normal[:n]).double().expand(-1, k))
        total = total.flatten()
        tails = [tail for item in items for tail in item.tails]
        for part in _alike([len(tail) for tail in tails]):
            width = max(len(tails[i]) for i in part) - 1
            own = copy.deepcopy(cache)
            # On the CPU, from where it may select on whatever device a layer is.
            own.batch_select_indices(torch.tensor([i // k for i in part]))  # type: ignore[attr-defined]
            ids = [tails[i][:-1] + [0] * (width + 1 - len(tails[i])) for i in part]
            places = [row * width + j for row, i in enumerate(part) for j in range(len(tails[i]) - 1)]
            logits, _ = self.project(torch.tensor(ids, device=device), torch.tensor(places, device=device), cache=own)
            targets = torch.tensor([[token] for i in part for token in tails[i][1:]], device=device)
            values = logits.gather(1, targets).float()
            rows = torch.tensor([i for i in part for _ in tails[i][1:]], device=device)
            total.index_add_(0, rows, (values - log_normaliser(logits))[:, 0].double())
        return total.view(len(items), k).cpu().numpy()


def _alike(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Put tails of more than one token in groups of about one length, so that little padding runs through the model."""
    group: list[int] = []
    waste = 0
    for number in sorted((i for i, length in enumerate(lengths) if length > 1), key=lambda i: (-lengths[i], i)):
        waste += lengths[group[0]] - lengths[number] if group else 0
        if waste > WORTH_SHARING:
            yield group
            group, waste = [], 0
        group.append(number)
    if group:
        yield group


def _packed(numbers: list[int], sizes: list[int], budget: int) -> Iterator[list[int]]:
    """Cut a list in parts whose sizes sum to at most the budget, or that hold one number."""
    part: list[int] = []
    held = 0
    for number, size in zip(numbers, sizes, strict=True):
        if part and held + size > budget:
            yield part
            part, held = [], 0
        part.append(number)
        held += size
    if part:
        yield part
