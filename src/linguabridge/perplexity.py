"""How well a model predicts text: bits per byte, which compares between languages and tokenizers, and perplexity.

Texts run in batches of about one length. The vocabulary projection runs at scored positions only, and so few of them
at a time that the logits of a large vocabulary fit in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from linguabridge.batches import token_budget
from linguabridge.collect import LONGEST_LINE, piece_length
from linguabridge.errors import InputError, ModelError
from linguabridge.memory import Halving
from linguabridge.model import LanguageModel
from linguabridge.progress import nothing
from linguabridge.projection import LOGITS, log_normaliser, projection
from linguabridge.text_bits import TextBits


def bits_per_byte(
    model: LanguageModel,
    lines: Iterable[str],
    *,
    max_tokens: int | None = None,
    advance: Callable[[float], None] = lambda _: None,
) -> TextBits:
    """Bits that a model needs for each line of a text.

    Each line is a document of its own, read after the tokens that the tokenizer puts before a text (BOS). A line of
    more than 512 tokens is cut into pieces, each read like a line. The first token of a line or piece is not scored
    where the tokenizer puts nothing before it, and its bytes do not count; special tokens, unknown words among them,
    are never scored. Where a character takes several tokens, its bytes count with the first of them.

    Args:
        model: the model.
        lines: the text. Read as a stream; what is scored is held as tokens.
        max_tokens: stop after so many scored tokens (1 or more), within a line if need be; None for the whole text.
        advance: told the number of tokens scored after each batch.

    Returns:
        Bits, bytes and tokens of each line.

    Raises:
        InputError: there is no token to score.
        ModelError: likelihoods are not finite.
    """
    pieces: list[_Piece] = []
    line_of: list[int] = []
    n_lines = 0
    left = float("inf") if max_tokens is None else max_tokens
    for line in lines:
        for piece in _pieces(model, line):
            some = piece.shortened(left)
            left -= len(some.scored)
            pieces.append(some)
            line_of.append(n_lines)
            if left <= 0:
                break
        n_lines += 1
        if left <= 0:
            break
    if not any(piece.scored for piece in pieces):
        raise InputError("The text to measure perplexity on holds no tokens that can be scored.")
    bits, sizes, tokens = np.zeros(n_lines), np.zeros(n_lines, np.int64), np.zeros(n_lines, np.int64)
    np.add.at(bits, line_of, _bits(model, [(one.ids, one.scored) for one in pieces], advance))
    np.add.at(sizes, line_of, [one.bytes for one in pieces])
    np.add.at(tokens, line_of, [len(one.scored) for one in pieces])
    return TextBits(bits, sizes, tokens)


def continuation_bits(
    model: LanguageModel, prompts: Sequence[str], continuations: Sequence[str]
) -> NDArray[np.float64]:
    """Bits that a model needs for each continuation after its prompt.

    Both are encoded together, as the model would see them written; every token after those of the prompt alone is
    scored, and so is one that spans the border. It is what :func:`linguabridge.likelihood.option_log_probabilities`
    gives with ``whole``, for one option a prompt and in bits.

    Args:
        model: the model.
        prompts: n prompts.
        continuations: n texts.

    Returns:
        −log2 of the probabilities, shape (n,).

    Raises:
        InputError: one is longer than the model reads.
        ModelError: a prompt has no token, or likelihoods are not finite.
    """
    asked = []
    for prompt, continuation in zip(prompts, continuations, strict=True):
        alone, ids = model.encode(prompt), model.encode(prompt + continuation)
        same = next((i for i, (a, b) in enumerate(zip(alone, ids, strict=False)) if a != b), min(len(alone), len(ids)))
        if same < 1:
            raise ModelError("A prompt must encode to at least one token before what follows it; this one gives none.")
        model.check_fits(len(ids))
        asked.append((ids, list(range(same, len(ids)))))
    return _bits(model, asked, nothing)


@dataclass(frozen=True)
class _Piece:
    """A sequence of tokens, the positions that are scored, and the bytes of every token (0 where it is not scored)."""

    ids: list[int]
    scored: list[int]
    sizes: list[int]

    @property
    def bytes(self) -> int:
        return sum(self.sizes[at] for at in self.scored)

    def shortened(self, most: float) -> _Piece:
        """The piece up to its ``most``-th scored token."""
        if len(self.scored) <= most:
            return self
        kept = self.scored[: int(most)]
        end = kept[-1] + 1
        return _Piece(self.ids[:end], kept, self.sizes[:end])


def _pieces(model: LanguageModel, line: str) -> Iterator[_Piece]:
    """A line as the model reads it, in pieces as for activation statistics, after what is put before every text."""
    for start in range(0, len(line), LONGEST_LINE):
        ids, sizes = _encoded(model, line[start : start + LONGEST_LINE])
        front = next((i for i, token in enumerate(ids) if token not in model.special_ids), len(ids))
        length = piece_length(model, front)
        for at in range(front, len(ids), length):
            whole = ids[:front] + ids[at : at + length]
            scored = [i for i in range(max(front, 1), len(whole)) if whole[i] not in model.special_ids]
            if scored:
                yield _Piece(whole, scored, [0] * front + sizes[at : at + length])


def _encoded(model: LanguageModel, text: str) -> tuple[list[int], list[int]]:
    """Tokens of a text, and the UTF-8 bytes that each stands for, which together are those of the text."""
    lengths = np.array([len(character.encode("utf-8", "surrogatepass")) for character in text], dtype=np.int64)
    before = np.concatenate([[0], np.cumsum(lengths)])  # bytes before each character, and in all
    if not model.tokenizer.is_fast:  # it does not tell where a token stands: share the bytes out evenly
        ids = model.encode(text)
        real = np.array([token not in model.special_ids for token in ids], dtype=np.int64)
        shares = np.round(np.cumsum(real) * (before[-1] / max(1, int(real.sum())))).astype(np.int64)
        return ids, np.diff(shares, prepend=0).tolist()
    found = model.tokenizer(text, verbose=False, return_offsets_mapping=True)
    ids = list(found.input_ids)
    ends = np.maximum.accumulate([end for _, end in found.offset_mapping]) if ids else np.zeros(0, np.int64)
    real_at = [i for i, token in enumerate(ids) if token not in model.special_ids]
    if real_at and ends[real_at[-1]] == ends[-1]:
        ends[real_at[-1] :] = len(text)  # white space that the tokenizer drops at the end
    return ids, np.diff(before[ends], prepend=0).tolist()


def _bits(
    model: LanguageModel, asked: Sequence[tuple[list[int], list[int]]], advance: Callable[[float], None]
) -> NDArray[np.float64]:
    """−log2 of the probability of the tokens at the scored positions (1 or later) of each sequence; shape (sequences,).

    Raises:
        ModelError: likelihoods are not finite.
    """
    out = np.zeros(len(asked))
    device = model.device
    vocabulary = model.model.config.get_text_config(decoder=True).vocab_size
    with torch.inference_mode(), projection(model) as project:

        def run(part: list[int]) -> None:
            length = max(len(asked[i][0]) for i in part)
            # Padded on the right: what a causal model computes at a token does not depend on what follows it.
            ids = torch.tensor([asked[i][0] + [0] * (length - len(asked[i][0])) for i in part], device=device)
            at = [(row, position) for row, i in enumerate(part) for position in asked[i][1]]
            before = torch.tensor([row * length + position - 1 for row, position in at], device=device)
            targets = torch.tensor([[asked[part[row]][0][position]] for row, position in at], device=device)
            logits, _ = project(ids, before)
            picked = logits.gather(1, targets).float()  # before the next line overwrites them
            values = (picked - log_normaliser(logits))[:, 0].double().cpu().numpy()
            np.add.at(out, [part[row] for row, _ in at], -values / np.log(2))
            advance(float(len(at)))

        halving = Halving[list[int]](lambda part: len(part) * max(len(asked[i][0]) for i in part))
        for together in _together(asked, token_budget(device), max(1, LOGITS // vocabulary)):
            halving.run(together, run)
    if not np.isfinite(out).all():
        raise ModelError(f"{model.name} gives likelihoods that are not finite (NaN or infinity); try --dtype float32.")
    return out


def _together(asked: Sequence[tuple[list[int], list[int]]], tokens: int, scored: int) -> Iterator[list[int]]:
    """Numbers of sequences that run together, the longest first; none without scored positions."""
    part: list[int] = []
    held = 0
    for number in sorted((i for i, (_, some) in enumerate(asked) if some), key=lambda i: (-len(asked[i][0]), i)):
        longest = len(asked[part[0]][0]) if part else 0
        if part and (held + len(asked[number][1]) > scored or (len(part) + 1) * longest > tokens):
            yield part
            part, held = [], 0
        part.append(number)
        held += len(asked[number][1])
    if part:
        yield part
