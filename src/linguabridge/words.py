"""A recommendation in words: the answer, the reasons, what the check says, what to bear in mind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from linguabridge import languages
from linguabridge.settings import ENOUGH_NEURONS, FEWEST_CHECK, FEWEST_FOR_A_VERDICT, OWN, TOP_RATES

if TYPE_CHECKING:  # torch comes with them, and reports are written without it
    from linguabridge.check import Arm, Check
    from linguabridge.recommendation import Recommendation


WEAK_HOP = 0.5  # share of right bridge words under which a dictionary's are worth a try


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


def figures(value: float) -> str:
    """A score of whatever size, three figures of it."""
    return number(value) if 0.001 <= abs(value) < 10 else f"{value:.3g}"


def listed(names: list[str], last: str = "and") -> str:
    """``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def summary(result: Recommendation) -> str:
    """The whole answer as a few paragraphs of plain text."""
    parts = [headline(result), why(result), neurons_say(result)]
    if result.check:
        parts.append(check_sentences(result.check))
    parts.append(" ".join(basis(result)))
    return "\n\n".join(parts)


def headline(result: Recommendation) -> str:
    """What to do, in one or two sentences."""
    pair = f"from {result.source.name} to {result.target.name}"
    if result.bridge is None:
        return f"No bridge can be chosen {pair}: the way of choosing, {result.chosen.title}, says nothing of any."
    name = result.bridge.name
    route = result.route
    if route is None:
        return f"{name} is the bridge to try {pair}. Whether a bridge helps was not checked."
    assert result.check is not None
    if not route.bridges:
        tried = listed([bridges_name(arm.bridges) for arm in result.check.arms[1:]], "or")
        harm = [bridges_name(arm.bridges) for arm in result.check.arms[1:] if arm.effect == "hurts"]
        harmful = f", and through {listed(harm)} it does harm" if harm else ""
        return (
            f"Translate directly {pair}: the check does not show that going through {tried} helps{harmful}. If you "
            f"bridge, {name} is the language to try.{_weak_hop(result)}"
        )
    gain = route.fair
    assert gain is not None
    through = f"Go through {bridges_name(route.bridges)} {pair}"
    return (
        f"{through}: in the check it gains {number(gain.mrr.value, sign=True)} MRR over direct (95 % interval "
        f"{number(gain.mrr.low, sign=True)} to {number(gain.mrr.high, sign=True)})."
        + ("" if route.bridges == (result.bridge.code,) else f" As a single bridge, {name} is the one chosen.")
    )


def _weak_hop(result: Recommendation) -> str:
    """A way out where the model's own bridge words are mostly wrong."""
    assert result.check is not None
    hops = [(arm.first_hop, arm) for arm in result.check.arms if arm.first_hop is not None]
    if result.settings.bridge_words != OWN or not hops or max(hop for hop, _ in hops) >= WEAK_HOP:
        return ""
    hop, arm = max(hops, key=lambda one: one[0])
    return (
        f" Only {share(hop)} of the model's own {bridges_name(arm.bridges)} words are right; with a dictionary's words "
        "in the prompt (--bridge-words dictionary) it may look otherwise."
    )


def bridges_name(codes: Sequence[str]) -> str:
    """Names of bridges that stand in one prompt: English; English, French and Spanish together."""
    names = [languages.parse(code).name for code in codes]
    return names[0] if len(names) == 1 else f"{listed(names)} together"


def why(result: Recommendation) -> str:
    """By what the bridge was chosen, and how far to trust that."""
    chosen = result.chosen
    scored = [(code, score) for code, score in chosen.scores.items() if score is not None]
    if not scored:
        return f"Ways of choosing other than '{chosen.way}' are offered by --choose-by."
    tied = chosen.tied()
    if len(scored) == 1:
        said = (
            f"{result.language(scored[0][0]).name} is the only candidate that can be scored, so nothing was compared."
        )
    elif chosen.is_fixed:
        names = [result.language(code).name for code, _ in scored[:3]]
        said = f"The bridge was chosen by a fixed order, from nothing in the model: {', then '.join(names)}."
    elif len(tied) > 1:
        names = [result.language(code).name for code in tied]
        said = f"{listed(names)} score alike by {chosen.title}; the first of them is taken."
    else:
        best, *others = (f"{result.language(code).name} {figures(score)}" for code, score in scored[:4])
        said = f"The bridge was chosen by {chosen.title}: {best}, then {listed(others)}."
    return f"{said} {trust(result)}"


def trust(result: Recommendation) -> str:
    """How reliable the way of choosing was where it could be checked."""
    from linguabridge.choosing.reliability import reliability
    from linguabridge.study.fixed import BEST_FIXED
    from linguabridge.study.sets import DEVELOPMENT_SET, REPORTED_SET

    weights = str(result.identity.get("weights"))
    words = result.settings.bridge_words
    known = reliability(result.chosen.way, weights=weights, bridge_words=words)
    if known is None:
        return f"How reliable '{result.chosen.way}' is has not been studied; `linguabridge study` measures it."
    where = "this model" if known.weights == weights else f"another model ({known.model})"
    whose = "the model's own bridge words" if known.bridge_words == OWN else "dictionary words as bridge words"
    fresh = {
        REPORTED_SET: " that nothing was chosen on,",
        DEVELOPMENT_SET: ", all of them among those that the default was chosen on,",
    }.get(known.pair_set, ", some of them those that the default was chosen on,")
    opponent = (
        "the best fixed bridge (English, or where it is in the pair the one that did best elsewhere)"
        if known.fixed == BEST_FIXED
        else "always English (French or the next where English is in the pair)"
    )
    lost = f"{number(known.regret[0])} MRR" if known.regret[0] > 0.0005 else "no measurable amount"
    against = (
        ""
        if result.chosen.is_fixed
        else (
            f"; against {opponent} {number(known.over_fixed[0], sign=True)} "
            f"{interval(*known.over_fixed[1:], sign=True)}"
        )
    )
    return (
        f"In a study of {known.pairs} pairs{fresh} with {where} and {whose}, choosing so lost {lost} against the best "
        f"single bridge (95 % interval {number(known.regret[1])} to {number(known.regret[2])}){against}."
    )


def neurons_say(result: Recommendation) -> str:
    """What the ranking by neurons, the paper's idea, says beside the choice."""
    ranking = result.ranking
    first = ranking.candidates[0]
    language = result.language(first.code)
    if first.score is None:
        return "What the neurons say: no candidate has neurons of its own in the window, so none can be ranked."
    if len(ranking.candidates) == 1:
        found = f"{language.name} is the only candidate"
    elif result.probes.fell_back:
        found = (
            f"the model understands only {result.probes.n_understood} of {result.probes.n_asked} words, so their "
            f"ranking is no more than a hint; {language.name} scores highest"
        )
    elif ranking.winner:
        found = f"{language.name} stands out"
    else:
        found = "no candidate stands out"
        group = [result.language(one.code).name for one in ranking.leaders]
        if group[0] != language.name:
            found += f"; {language.name} scores highest, but {group[0]} comes first more often"
        elif len(group) == 1:
            found += f"; {language.name} leads, but not beyond chance"
        elif len(group) < len(result.candidates):
            found += f"; the best is among {listed(group)}"
    to_source, to_target = result.similarity[first.code]
    order = sorted(result.similarity, key=lambda code: -sum(result.similarity[code]))
    place = order.index(first.code) + 1
    start, last = ranking.window
    layers = [(value, start + i) for i, value in enumerate(first.layers) if value is not None]
    best_layer = max(layers)[1] if layers else start
    lead = ""
    if ranking.lead:
        second = result.language(ranking.candidates[1].code).name
        value, low, high = ranking.lead
        lead = f", leading {second} by {number(value, sign=True)} {interval(low, high, sign=True)}"
    return (
        f"What the neurons say: {found}. The {sum(first.neurons)} bridge neurons of {language.name} in layers "
        f"{start} to {last} depend on the {sum(ranking.shared)} that {result.source.name} and {result.target.name} "
        f"share there, most in layer {best_layer}, with a score of {number(first.score)} (95 % interval "
        f"{number(first.low)} to {number(first.high)}); it came first in {share(first.best)} of the half-samples of "
        f"the probes{lead}. In "
        f"activation probabilities it is number {place} of {len(order)} in likeness to the pair (correlation "
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
    name = bridges_name(arm.bridges)  # English is an arm also where it is no candidate
    said = f"Through {name}, {share(arm.p_at_1.value)} (MRR {number(arm.mrr.value)})"
    if len(arm.items) - arm.n_copied < FEWEST_CHECK:
        return (
            f"{said}, but {arm.n_copied} of {len(arm.items)} bridge words already are right answers (copying is not "
            "bridging), and the rest is too few to tell."
        )
    compared = arm.fair
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
    if len(arm.items) - arm.n_copied < FEWEST_FOR_A_VERDICT:
        verdict = f"fewer than {FEWEST_FOR_A_VERDICT} words, too few for a verdict"
    else:
        verdict = {
            "helps": "it helps",
            "hurts": "it does harm",
            "unclear": "no clear difference (so few words only reveal one of about "
            f"{number(compared.detectable)} or more)",
        }[arm.effect]
    hop = "" if arm.first_hop is None else f" Of the model's own {name} words, {share(arm.first_hop)} are right."
    none = f" For {arm.n_no_word} words it gave no bridge word; they went direct." if arm.n_no_word else ""
    return f"{said}: {difference}; {verdict}.{hop}{none}"


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
