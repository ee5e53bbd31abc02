"""Activation statistics of several languages: what ``linguabridge.profile_languages`` gives."""

from __future__ import annotations

from collections.abc import Sequence

from linguabridge import languages
from linguabridge.cache import Cache, default_cache_dir
from linguabridge.errors import InputError
from linguabridge.lazy_model import DEFAULT_MODEL, LazyModel, open_model
from linguabridge.measure import Measurements
from linguabridge.profile import Profile
from linguabridge.progress import Reporter
from linguabridge.texts import load_text


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
        model: name of a model, or one from :func:`linguabridge.lazy_model.open_model`.
        texts: as in :func:`linguabridge.texts.load_text`; None for CLDR names.
        tokens: of text read for each language, at most.
        seed: of the order of the names, and of what is kept for checks.
        cache: where results are kept; the user's cache folder by default.
        reporter: shows progress; silent by default.

    Returns:
        For each language, arrays over the model's neurons, shape (neurons,): share of tokens at which a neuron's value
        is above 0, and its mean value in the activation function's units (Xu et al., EMNLP 2025; docs/method.md).

    Raises:
        LinguabridgeError: the input cannot be used; the message says how to mend it.
    """
    if isinstance(codes, str):
        raise InputError(f"Codes are a list of languages, not one text: ['{codes}'].")
    if tokens < 1:
        raise InputError(f"tokens={tokens}: neurons are read on 1 token or more.")
    cache = cache or Cache(default_cache_dir())
    lazy = open_model(model, cache=cache, reporter=reporter) if isinstance(model, str) else model
    measure = Measurements(lazy, cache, reporter)
    found = [load_text(texts, languages.parse(code), seed) for code in codes]
    read = measure.each("Reading neurons", found, lambda asked, text: asked.profile(text, max_tokens=tokens))
    return Profile({text.language.code: one for text, one in zip(found, read, strict=True)})
