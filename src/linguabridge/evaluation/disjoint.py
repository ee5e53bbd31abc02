"""Test items against what neurons were read on: words are kept apart, overlap of texts is counted and said."""

from __future__ import annotations

from collections.abc import Sequence

from linguabridge.lexicons import normalise_word
from linguabridge.tasks.task import Item
from linguabridge.texts import Text, lines_read, words_read

_SENTENCE = 20  # characters; a shorter line that occurs in a test text is a word, and no leak


def unread(items: Sequence[Item], texts: Sequence[Text]) -> tuple[Item, ...]:
    """Word items of which neither the word nor a translation is a line of the word lists that neurons are read on."""
    read = {normalise_word(line) for text in texts if text.words for line in text.lines()}
    return tuple(item for item in items if not read & _forms(item))


def overlap_note(items: Sequence[Item], texts: Sequence[Text], tokens: int, *, words: bool) -> str:
    """Say how test items and the texts that neurons are read on overlap.

    Args:
        items: of the test.
        texts: in source and target language.
        tokens: read of each, at most.
        words: the items are single words.
    """
    if words:
        kept = (
            "Test words and probe words are disjoint by concept; no test word is in the word lists neurons are read on"
        )
        running = [text for text in texts if not text.words]
        if not running:
            return f"{kept}."
        forms = [_forms(item) for item in items]
        wanted = {word for one in forms for word in one}
        among = {word for text in running for word in words_read(wanted, text, tokens)}
        seen = sum(not among.isdisjoint(one) for one in forms)
        return f"{kept}; {seen} of {len(items)} occur in the running text they are read on."
    lines = {_folded(line) for text in texts for line in lines_read(text, tokens)}
    sentences = [line for line in lines if len(line) >= _SENTENCE]
    seen = sum(any(line in text for line in sentences) for text in (_folded(item.text) for item in items))
    if not seen:
        return "No test text contains a line of the texts that neurons are read on, and probes are single words."
    return (
        f"{seen} of {len(items)} test texts contain a line of the texts that neurons are read on: the recommended "
        "bridge is not independent of them; choose other --texts."
    )


def _forms(item: Item) -> set[str]:
    return {normalise_word(item.text), *(normalise_word(word) for word in item.gold)}


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
