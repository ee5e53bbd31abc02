"""A recommendation in words: the answer, the reasons, what the check says, what to bear in mind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from linguabridge import languages
from linguabridge.settings import ENOUGH_NEURONS, FEWEST_CHECK, FEWEST_FOR_A_VERDICT, HUB, TOP_RATES

if TYPE_CHECKING:  # torch comes with them, and reports are written without it
    from linguabridge.check import Arm, Check
    from linguabridge.paired import Comparison
    from linguabridge.ranking import CandidateScore
    from linguabridge.recommendation import Recommendation


def p_value(value: float) -> str:
    """A p-value, never printed as 0."""
    return "<.001" if value < 0.0005 else number(value)


def number(value: float | None, *, sign: bool = False) -> str:
    """A figure of three decimals without its leading zero, as statistics are printed; a dash for none."""
    if value is None or value != value:
        return "–"
    text = f"{value:+.3f}" if sign else f"{value:.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def interval(low: float | None, high: float | None, *, sign: bool = False) -> str:
    """Both ends of an interval."""
    return "–" if low is None or high is None else f"[{number(low, sign=sign)}, {number(high, sign=sign)}]"


def share(value: float) -> str:
    """A share as a percentage, never rounded up to certainty."""
    percent = 100 * value
    if 0 < percent < 1:
        return "<1 %"
    return ">99 %" if 99 < percent < 100 else f"{percent:.0f} %"


def listed(names: list[str]) -> str:
    """``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def summary(result: Recommendation) -> str:
    """The whole answer as a few paragraphs of plain text."""
    parts = [headline(result), f"{why(result, result.ranking.candidates[0])}"]
    if result.check:
        parts.append(check_sentences(result.check))
    parts.append(" ".join(basis(result)))
    return "\n\n".join(parts)


def headline(result: Recommendation) -> str:
    """The answer in one or two sentences."""
    pair = f"from {result.source.name} to {result.target.name}"
    first = result.language(result.ranking.candidates[0].code)
    ranking = result.ranking
    if ranking.candidates[0].score is None:
        return f"No candidate has neurons of its own in the window, so none can be ranked {pair}."
    if len(ranking.candidates) == 1:
        found = f"{first.name} is the only candidate {pair}, so nothing was compared"
    elif result.probes.fell_back:
        found = (
            f"The model understands only {result.probes.n_understood} of {result.probes.n_asked} words {pair}, so the "
            f"ranking is no more than a hint: {first.name} scores highest"
        )
    elif result.bridge:
        found = f"{result.bridge.name} stands out as the bridge {pair}"
    else:
        found = f"No bridge stands out {pair}"
        group = [result.language(one.code).name for one in ranking.leaders]
        if group[0] != first.name:
            found += f": {first.name} scores highest, but {group[0]} comes first more often"
        elif len(group) == 1:
            found += f": {first.name} leads, but not beyond chance"
        elif len(group) < len(result.candidates):
            found += f": the best is among {listed(group)}"
    if not result.check:
        return f"{found}. Whether a bridge helps was not checked."
    effect = _effect(result.check.arm(first.code))
    if first.code != HUB and effect != "helps":
        hub = next((arm for arm in result.check.arms if arm.bridge == HUB), None)
        if hub and _effect(hub) == "helps":
            return f"{found}. In the check, going through {languages.parse(HUB).name} helps, through {first.name} not."
    through = result.bridge.name if result.bridge else f"{first.name}, first in the ranking,"
    if effect == "helps":
        return f"{found}. In the check, going through {through} helps."
    if effect == "hurts":
        return f"{found}. In the check, going through {through} does harm: translate directly."
    return f"{found}. The check does not show that going through {through} helps: translate directly."


def why(result: Recommendation, candidate: CandidateScore) -> str:
    """Why a candidate stands where it stands."""
    language = result.language(candidate.code)
    if candidate.score is None:
        return f"{language.name} has no neurons of its own in the window beside those that source and target share."
    to_source, to_target = result.similarity[candidate.code]
    order = sorted(result.similarity, key=lambda code: -sum(result.similarity[code]))
    place = order.index(candidate.code) + 1
    first, last = result.ranking.window
    layers = [(value, first + i) for i, value in enumerate(candidate.layers) if value is not None]
    best_layer = max(layers)[1] if layers else first
    lead = ""
    if result.ranking.lead and candidate is result.ranking.candidates[0]:
        second = result.language(result.ranking.candidates[1].code).name
        value, low, high = result.ranking.lead
        lead = f", leading {second} by {number(value, sign=True)} {interval(low, high, sign=True)}"
    return (
        f"Why {language.name}: its {sum(candidate.neurons)} bridge neurons in layers {first} to {last} depend on the "
        f"{sum(result.ranking.shared)} neurons that {result.source.name} and {result.target.name} share there, most in "
        f"layer {best_layer}, with a score of {number(candidate.score)} (95 % interval {number(candidate.low)} to "
        f"{number(candidate.high)}); it came first in {share(candidate.best)} of the half-samples of the probes{lead}. "
        f"In activation probabilities it is number {place} of {len(order)} in likeness to the pair (correlation "
        f"{number(to_source)} with {result.source.name}, {number(to_target)} with {result.target.name})."
    )


def check_sentences(check: Check) -> str:
    """What the check says, arm by arm."""
    direct = check.arm(None)
    lines = [
        f"Check on {check.n} held-out words: directly, the model ranks the right word first among 10 for "
        f"{share(direct.p_at_1.value)} (MRR {number(direct.mrr.value)})."
    ]
    lines += [_arm_sentence(arm) for arm in check.arms[1:]]
    return " ".join(lines)


def _arm_sentence(arm: Arm) -> str:
    assert arm.bridge is not None
    name = languages.parse(arm.bridge).name  # English is an arm also where it is no candidate
    said = f"Through {name}, {share(arm.p_at_1.value)} (MRR {number(arm.mrr.value)})"
    if len(arm.items) - arm.n_copied < FEWEST_CHECK:
        return (
            f"{said}, but {arm.n_copied} of {len(arm.items)} bridge words already are right answers (copying is not "
            "bridging), and the rest is too few to tell."
        )
    compared = fair_comparison(arm)
    assert compared is not None
    which = (
        ""
        if arm.against_direct_without_copies is None
        else (
            f", leaving out {arm.n_copied} words whose bridge word already is a right answer (copying is not bridging)"
        )
    )
    difference = (
        f"{number(compared.mrr.value, sign=True)} MRR against direct{which}; 95 % interval "
        f"{number(compared.mrr.low, sign=True)} to {number(compared.mrr.high, sign=True)} (McNemar on P@1: p "
        f"{p_value(compared.mcnemar)})"
    )
    verdict = {
        "helps": "it helps",
        "hurts": "it does harm",
        "unclear": f"no clear difference (so few words only reveal one of about {number(compared.detectable)} or more)",
    }[_effect(arm)]
    hop = "" if arm.first_hop is None else f" Of the model's own {name} words, {share(arm.first_hop)} are right."
    none = f" For {arm.n_no_word} words it gave no bridge word; they went direct." if arm.n_no_word else ""
    return f"{said}: {difference}; {verdict}.{hop}{none}"


def fair_comparison(arm: Arm) -> Comparison | None:
    """An arm against direct, copied entries left out; None for direct itself and where nothing is left."""
    return arm.against_direct_without_copies if arm.n_copied else arm.against_direct


def _effect(arm: Arm) -> str:
    if len(arm.items) - arm.n_copied < FEWEST_FOR_A_VERDICT:
        return "unclear"
    compared = fair_comparison(arm)
    assert compared is not None
    if compared.mrr.low > 0:
        return "helps"
    return "hurts" if compared.mrr.high < 0 else "unclear"


def basis(result: Recommendation) -> list[str]:
    """What the answer rests on, and what to bear in mind; a sentence each."""
    tokens_s, tokens_t = result.tokens_per_word
    sources = sorted({source for source, _, _ in result.profiled.values()})
    counts = [count for _, _, count in result.profiled.values()]
    spread = f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"
    where = listed(sources) if len(sources) <= 3 else f"{sources[0]} and {len(sources) - 1} more"
    sentences = [
        result.pair.describe(),
        f"A word takes {tokens_s:.1f} tokens in {result.source.name} and {tokens_t:.1f} in {result.target.name}.",
        f"Neurons were read on {spread} tokens a language ({where}).",
        result.probes.describe(),
    ]
    sets = result.sets
    rate = f"{sets.rate:.1%}".replace(".0%", "%").replace("%", " %")
    raised = f", raised from {TOP_RATES[0]:.0%} so that every candidate has {ENOUGH_NEURONS} neurons".replace("%", " %")
    first, last = result.ranking.window
    used = "those are compared" if result.settings.shared_set == "anchored" else "all of them are compared"
    sentences.append(
        f"Top sets hold {rate} of all neurons{raised if sets.raised and not sets.thin else ''}. Source and target "
        f"share {sets.overlap:,}, of them {sets.overlap_in_window:,} in layers {first} to {last}, where "
        f"{sets.anchored:,} are active on at least half the probes (anchored); {used}."
    )
    if sets.thin:
        names = [result.language(code).name for code in sets.thin]
        have = "has" if len(names) == 1 else "have"
        sentences.append(
            f"{listed(names)} {have} fewer than {ENOUGH_NEURONS} bridge neurons in the window: "
            "take their scores with care."
        )
    if result.check and result.n_seen:
        sentences.append(
            f"Of the check's {result.check.n} entries, {result.n_seen} have a word that occurs within a longer line "
            "of the text that neurons were read on."
        )
    if result.settings.reference:
        sentences.append(
            "This is the published procedure (--reference); its score grows with the size of a set, so compare it "
            "with the default's before you trust it."
        )
    if result.pair.skipped:
        lines = "; ".join(f"line {one.number}: {one.reason}" for one in result.pair.skipped[:3])
        sentences.append(f"Of the malformed lines, {'the first: ' if len(result.pair.skipped) > 3 else ''}{lines}.")
    return [*sentences, *result.notes]
