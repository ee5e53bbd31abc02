"""What the cache folder can hold, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HASHES, MODELS, MUSE, MGSM = "hashes", "models", "lexicons/muse", "mgsm"
DOWNLOADS = (MUSE, MGSM)

# Every kind that something is kept under; a test compares this list with the source.
KINDS = {
    "ablation": "likelihoods with neurons switched off or amplified",
    "ablation-ranks": "ranks of right words with neurons switched off",
    "answers": "the model's greedy answers",
    "blocks": "activation statistics by block of a text",
    "chat-prompts": "prompts in the form of a chat",
    "endpoint-answers": "answers of servers",
    "endpoint-scores": "likelihoods from servers",
    "halves": "agreement of half-samples",
    "hardware": "device and dtype chosen on this machine",
    "inspection": "what inspect shows",
    "kernels": "kernels over words, by layer",
    "likelihood": "likelihoods of options",
    "perplexity": "bits a byte of texts",
    "permutations": "permutation tests",
    "probes": "activations of neurons on probe words",
    "profile": "activation statistics of languages",
    "scores": "dependence of candidates' neurons",
    "shares": "finished shares of what workers have not finished",
    "spectrum-agreement": "tests against language families",
    "spectrum-concepts": "CKA and HSIC on the same concepts",
    "spectrum-shuffled": "matrices of shuffled texts",
    "spectrum-text": "matrices of texts, and their support",
    "study-analyses": "analyses of studies",
    "tokens": "lengths of words in tokens",
}
# What is kept otherwise: files and folders by place.
PLACES = {
    HASHES: "remembered SHA-256 of files",
    MODELS: "models converted from GGUF",
    MUSE: "downloaded MUSE dictionaries",
    MGSM: "downloaded MGSM problems",
}


@dataclass(frozen=True)
class Item:
    """Something that the package keeps.

    Attributes:
        kind: of :data:`KINDS` or :data:`PLACES`.
        paths: its files, or its one folder; what others look for first stands first, a manifest before its arrays.
        size: bytes.
        written: seconds since 1970, of the newest of its files.
        model: name of the model or server that it is of, None where that is not known or it is of none.
        weights: what :func:`linguabridge.model_files.identify` calls that model's weights, where known.
        tokenizer: likewise its tokenizer.
    """

    kind: str
    paths: tuple[Path, ...]
    size: int
    written: float
    model: str | None = None
    weights: str | None = None
    tokenizer: str | None = None

    @property
    def owner(self) -> str | None:
        """The model as it is shown and asked for: its name, else the beginning of its weights' hash."""
        return self.model or (self.weights[:12] if self.weights else None)


@dataclass(frozen=True)
class Leftover:
    """What serves nothing any more.

    Attributes:
        path: a file or a folder.
        why: in words.
        size: bytes.
        written: seconds since 1970.
        kind: whose folder it lies in.
        old: so old that no other process can still be at work on it.
    """

    path: Path
    why: str
    size: int
    written: float
    kind: str
    old: bool


@dataclass(frozen=True)
class Contents:
    """All that lies in a cache folder.

    Attributes:
        root: the folder, links on the way to it resolved.
        items: what is kept.
        leftovers: what killed runs and damaged results left.
        foreign: files, folders and links that are not ours.
    """

    root: Path
    items: tuple[Item, ...]
    leftovers: tuple[Leftover, ...]
    foreign: tuple[Path, ...]

    @property
    def size(self) -> int:
        """Bytes of all that is ours."""
        return sum(one.size for one in self.items) + sum(one.size for one in self.leftovers)

    @property
    def models(self) -> list[str]:
        """Models and servers that something is known to be of, by name; one without a name by its weights."""
        return sorted({one.owner for one in self.items if one.owner})
