"""An ablation in words: what the shared neurons do for translation, for the languages, and what random ones do."""

from __future__ import annotations

from linguabridge.ablation.controls import BINS
from linguabridge.ablation.results import ALIKE, AMPLIFIED, OVERLAP, RANDOM, SPECIFIC, Ablation, Arm, Change, Control
from linguabridge.paired import shown
from linguabridge.settings import FEWEST_FOR_A_VERDICT
from linguabridge.words import interval, listed, number, p_value

_MATCHED = 0.8  # of the set's mean activation, at least, that random sets about as active must have
HARMS, HELPS, UNCLEAR = "harms", "helps", "unclear"
_KINDS = {RANDOM: "as many random neurons of the same layers", ALIKE: "random ones that are about as active"}


def summary(result: Ablation) -> str:
    """The whole answer as a few paragraphs of plain text."""
    return "\n\n".join((*paragraphs(result), " ".join(basis(result))))


def paragraphs(result: Ablation) -> tuple[str, ...]:
    """The answer, a paragraph each: the shared neurons and translation, the languages, amplified, specific ones."""
    off = result.arm(OVERLAP)
    assert off is not None  # without shared neurons there is no ablation
    found = [_translation(result, off), _languages(result, off)]
    amplified = result.arm(AMPLIFIED)
    if amplified:
        found.append(_translation(result, amplified))
    specific = [arm for arm in result.arms if arm.set == SPECIFIC]
    if specific:
        found.append(" ".join(f"{_translation(result, arm)} {_texts_of(result, arm)}" for arm in specific))
    return tuple(found)


def effect(change: Change) -> str:
    """Whether the interval of a change lies on the side of harm, on the other side, or holds 0."""
    ends = sorted((change.worse * change.change.low, change.worse * change.change.high))
    return HARMS if ends[0] > 0 else HELPS if ends[1] < 0 else UNCLEAR


def beyond(change: Change, control: Control) -> bool:
    """Whether a set does more harm than the random ones: by its place among the draws, and by the interval."""
    ends = (change.worse * control.excess.low, change.worse * control.excess.high)
    return shown(control.p) and min(ends) > 0


def arm_name(result: Ablation, arm: Arm) -> str:
    """What a table calls an arm."""
    if arm.set == OVERLAP:
        return "shared, off"
    if arm.set == AMPLIFIED:
        return f"shared × {arm.factor:g}"
    return f"{result.language(arm.language or '').name}'s, off"


def _doing(result: Ablation, arm: Arm) -> str:
    n = f"{len(arm.neurons):,} neuron{'s' if len(arm.neurons) != 1 else ''}"
    shared = f"the {n} that {result.source.name} and {result.target.name} share in {result.model}"
    if arm.set == OVERLAP:
        return f"Switching off {shared}"
    if arm.set == AMPLIFIED:
        return f"Amplifying {shared} by {arm.factor:g}"
    return f"Switching off the {n} specific to {result.language(arm.language or '').name}"


def _translation(result: Ablation, arm: Arm) -> str:
    """What an arm does to translation, and whether random sets do as much."""
    change = arm.translation
    done = {
        HARMS: "harms",
        HELPS: "improves",
        UNCLEAR: "does not clearly change",
    }[effect(change)]
    few = f" on only {result.n_words} words, a hint at best" if result.n_words < FEWEST_FOR_A_VERDICT else ""
    return (
        f"{_doing(result, arm)} {done} translation{few}: the log-probability of the right word changes by "
        f"{number(change.change.value, sign=True)} (95 % interval "
        f"{interval(change.change.low, change.change.high, sign=True)}), its MRR among ten by "
        f"{number(arm.mrr.value, sign=True)} {interval(arm.mrr.low, arm.mrr.high, sign=True)}. {_against(arm)}"
    )


def _against(arm: Arm) -> str:
    """A change of translation beside what random sets do."""
    change = arm.translation
    random, alike = change.control(RANDOM), change.control(ALIKE)
    if effect(change) != HARMS:
        return f"{_drawn(random, first=True)}, {_drawn(alike)}."
    more, more_than_alike = beyond(change, random), beyond(change, alike)
    if more and more_than_alike:
        return f"That is more harm than {_drawn(random)} do, and more than {_drawn(alike)}.{_unmatched(arm)}"
    if more:
        return (
            f"That is more harm than {_drawn(random)} do, but not clearly more than {_drawn(alike)}: that the neurons "
            "are so active is enough to explain it."
        )
    if more_than_alike:
        return f"That is more harm than {_drawn(alike)} do, but not clearly more than {_drawn(random)}."
    return f"That is not clearly more harm than {_drawn(random)} do, or {_drawn(alike)}."


def _unmatched(arm: Arm) -> str:
    """A caveat where the random neurons about as active are in fact less so."""
    own, alike = arm.activation["set"], arm.activation[ALIKE]
    if alike >= _MATCHED * own:
        return ""
    return (
        f" But there are not as many others quite as active (mean activation {number(alike)} against {number(own)}), "
        "so activity may still be part of it."
    )


def _drawn(control: Control, *, first: bool = False) -> str:
    """What random sets do, with the range of the draws."""
    kind = _KINDS[control.kind]
    said = (
        f"({number(control.mean, sign=True)} on average, {number(control.low, sign=True)} to "
        f"{number(control.high, sign=True)}; p {p_value(control.p)})"
    )
    return f"{kind[0].upper()}{kind[1:]} change it by {said[1:-1]}" if first else f"{kind} {said}"


def _texts_of(result: Ablation, arm: Arm) -> str:
    """What a set does to text, in short."""
    parts = [f"{number(text.change.value, sign=True)} in {result.language(text.of).name}" for text in arm.texts]
    return f"The prediction of text changes by {listed(parts)}, in bits per byte."


def _languages(result: Ablation, arm: Arm) -> str:
    """What the shared neurons do for the languages themselves, and whether more than that for translation."""
    parts = []
    for text in arm.texts:
        alike = text.control(ALIKE)
        parts.append(
            f"{number(text.change.value, sign=True)} {interval(text.change.low, text.change.high, sign=True)} in "
            f"{result.language(text.of).name} (random ones about as active: {number(alike.mean, sign=True)}, p "
            f"{p_value(alike.p)})"
        )
    said = f"The same neurons change the prediction of text, in bits per byte (more is worse), by {listed(parts)}."
    return f"{said} {_selective(result, arm)}"


def _selective(result: Ablation, arm: Arm) -> str:
    """Whether translation loses more than text in either language does."""
    if not (effect(arm.translation) == HARMS and beyond(arm.translation, arm.translation.control(ALIKE))):
        return (
            "Whether they matter more to translation than to the languages cannot be asked: beyond random neurons that "
            "are about as active, no harm to translation is shown."
        )
    parts = [
        f"{number(one.value, sign=True)} {interval(one.low, one.high, sign=True)} bits per byte against "
        f"{result.language(code).name} text"
        for code, one in arm.selective.items()
    ]
    own = [arm.selective[one.code] for one in (result.source, result.target)]
    # Contrasts than which translation is not shown to lose more.
    others = [one.name for one in result.contrasts if arm.selective[one.code].low <= 0]
    if all(one.low > 0 for one in own):
        verdict = "They matter more to translation than to the languages themselves"
        if others:
            verdict = (
                f"They matter more to translation than to {result.source.name} and {result.target.name}, but not more "
                f"than to {listed(others)}, outside of the pair, so what they do is not the pair's own"
            )
    elif all(one.high < 0 for one in own):
        verdict = "They matter more to the languages themselves than to translation"
    else:
        verdict = "That they matter more to translation than to both languages themselves is not shown"
    return f"{verdict}: beyond random neurons about as active, the right word loses {listed(parts)}."


def basis(result: Ablation) -> list[str]:
    """What the answer rests on, and what to bear in mind; a sentence each."""
    first, last = result.layers
    settings = result.settings
    rate, specific = (f"{100 * one:g} %" for one in (settings.top_rate, settings.specific_rate))
    others = [one.name for one in result.compared if one not in (result.source, result.target)]
    sentences = [
        f"{result.n_words} held-out words were translated directly, the intact model giving the right one a "
        f"log-probability of {number(result.log_probability)} and an MRR of {number(result.mrr)} among ten.",
        f"Shared are neurons in the top {rate} of both languages by activation probability, in layers {first} to "
        f"{last}; specific those that entropy (LAPE) picks among {result.source.name}, {result.target.name} and "
        f"{len(others)} more languages, {specific} of all neurons in all.",
        *_texts(result),
        f"Each set is compared with {settings.draws} random sets of its own size in every layer, none of which holds a "
        f"neuron of it, and with as many that are about as active (mean activation, in {BINS} bins a layer). "
        f"Sets differ in size, so compare each with its own random ones. {_activity(result)}",
        "Intervals are bootstraps over words or lines; p is one-sided, the share of random sets that do at least as "
        "much harm, and not corrected for the number of comparisons. Random sets are not ranked for the MRR.",
    ]
    return [*sentences, *result.notes]


def _texts(result: Ablation) -> list[str]:
    seen = [result.language(code).name for code, text in result.texts.items() if not text.unseen]
    counts = [text.tokens for text in result.texts.values()]
    spread = f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"
    source = result.texts[result.source.code].source
    said = f"Perplexity was measured on {spread} tokens a language ({source} and the like)"
    if not seen:
        return [f"{said}, none of which neurons were read on."]
    return [f"{said}; in {listed(seen)} it is the text that neurons were read on, since there is not more of it."]


def _activity(result: Ablation) -> str:
    off = result.arm(OVERLAP)
    assert off is not None
    means, often = off.activation, off.often
    return (
        f"The shared neurons have a mean activation of {number(means['set'])} (active at {_percent(often['set'])} of "
        f"tokens), the random ones {number(means[RANDOM])} ({_percent(often[RANDOM])}), those about as active "
        f"{number(means[ALIKE])} ({_percent(often[ALIKE])})."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
