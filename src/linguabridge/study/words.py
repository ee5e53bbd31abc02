"""A study in plain words."""

from __future__ import annotations

import numpy as np

from linguabridge.check import DIRECT
from linguabridge.choosing.combined import COMBINED, HABIT
from linguabridge.choosing.ways import WAYS
from linguabridge.paired import Difference, Interval
from linguabridge.settings import OWN
from linguabridge.study.analysis import RANDOM, REFERENCE, Analysis, WayResult
from linguabridge.study.fixed import BEST_FIXED
from linguabridge.study.policies import CHAIN_OR_HOP, ENGLISH, TRIED, Decisions, PolicyResult
from linguabridge.study.results import Study
from linguabridge.study.sets import ALL_SET, DEVELOPMENT_SET, REPORTED_SET
from linguabridge.words import interval, listed, number, share

TITLES = {
    **{way.name: way.title for way in WAYS.values()},
    BEST_FIXED: "English; where it is in the pair, what did best on other pairs for development with English",
    HABIT: "how useful a bridge was in the other pairs",
    COMBINED: "ridge regression over the scores of twelve ways, fitted on the other pairs",
}
_OF = {  # what follows a number of pairs
    DEVELOPMENT_SET: " that ways were made and chosen on",
    REPORTED_SET: " that nothing was chosen on",
    ALL_SET: ", those that ways were made and chosen on included",
}
SETS = {name: "all pairs" if name == ALL_SET else f"pairs{which}" for name, which in _OF.items()}
CLOSE = 0.005  # a loss against the fixed bridge that the study would still call none
FIXED_IS = (
    "Fixed: English; where it is source or target, the bridge that did best on the other pairs for development with "
    "English (French or the next where there are under three)."
)
NOT_SHOWN = "†: not shown, for by random signs of the pairs p is above .05."


def summary(result: Study) -> str:
    """The whole answer as a few paragraphs of plain text."""
    return "\n\n".join(paragraphs(result))


def paragraphs(result: Study) -> list[str]:
    """What the study says: of the ways of choosing, of going direct and of several bridges; then what it rests on."""
    main = result.main
    policies = f"{policy_sentences(result, main)}{exact_sentence(result)}"
    return [ways_sentences(result, main), policies, decision_sentences(main), basis(result)]


def ways_sentences(result: Study, main: Analysis) -> str:
    """Which way of choosing one bridge loses least, and whether it beats the obvious ones."""
    first = best_way(result)
    own, fixed, random = main.way(first), main.way(main.fixed), main.way(RANDOM)
    chosen = (
        "that did best on the pairs for development"
        if _chosen_on(result) is not main
        else "that does best on these very pairs (and is flattered by that)"
    )
    compared = sum(one.way in WAYS for one in main.ways)
    said = [
        f"Of {compared} ways of choosing one bridge, the one {chosen} is '{first}' ({TITLES[first]}). Against the best "
        f"bridge, picked on the other half of the words, it loses {_lost(own.regret)} {main.metric}; a random bridge "
        f"loses {_lost(random.regret)}, {fixed_name(main)} {_lost(fixed.regret)}{_order(main)}."
    ]
    if own.over_reference:
        said.append(f"The published measure, on our probes and texts, loses {_lost(main.way(REFERENCE).regret)}.")
    if first not in (ENGLISH, RANDOM):
        said.append(_against_fixed(own, main))
    said.append(_against(own.over_random, "a random bridge"))
    if own.over_reference and first != REFERENCE:
        said.append(_against(own.over_reference, "the published measure"))
    if own.tau:
        said.append(
            f"Its scores order the bridges with a Kendall's τ of {with_interval(own.tau)}; two halves of the words, "
            f"noisy both, agree with each other by {with_interval(main.ceiling)}."
        )
    return " ".join(said)


def best_way(result: Study) -> str:
    """The way with the least regret on the pairs for development, or on those that figures are of.

    Of those that `recommend` can go by: not random, and nothing learnt from pairs whose best bridge is known.
    """
    return next(one.way for one in _chosen_on(result).ways if one.way in WAYS and one.way != RANDOM)


def best_of_several(result: Study) -> str | None:
    """The chain or vote with the highest score on the pairs for development, or on those that figures are of."""
    several = [one.policy for one in _chosen_on(result).policies if one.policy.startswith(("chain", "vote"))]
    return next((policy for policy in several if policy.rsplit(" ", 1)[-1].isdigit()), None)


def _chosen_on(result: Study) -> Analysis:
    """The pairs for development where figures are of others, else those that figures are of."""
    development = result.analysis(DEVELOPMENT_SET, result.main.metric)
    return development if development is not None and result.main.name == REPORTED_SET else result.main


def _lost(regret: Interval) -> str:
    below = " (below 0, for the best is picked on few words)" if regret.high < 0 else ""
    return f"{with_interval(regret)}{below}"


def fixed_name(main: Analysis) -> str:
    """What all are compared with, in words: a bridge that is fixed beforehand."""
    if not any("en" in pair.split(":") for pair in main.pairs):
        return "always English"
    return "the best fixed bridge" if main.fixed == BEST_FIXED else "a fixed order that starts with English and French"


def _order(main: Analysis) -> str:
    """What the best fixed bridge is, and the simpler order, where these are not the same."""
    if fixed_name(main) != "the best fixed bridge":
        return ""
    return (
        " (English, or where it is source or target the bridge that did best on the other pairs for development with "
        f"English), a fixed order that starts with English and French {_lost(main.way(ENGLISH).regret)}"
    )


def _against_fixed(own: WayResult, main: Analysis) -> str:
    over, name = own.over_fixed, fixed_name(main)
    if over.sign > 0:
        return f"It gains {signed(over)} over {name}."
    if over.sign < 0:
        return f"It is worse than {name}: {signed(over)}."
    if over.low >= -CLOSE:
        return f"Over {name} no gain is shown, nor a loss to speak of: {with_p(over)}."
    return f"Against {name} no difference is shown: {with_p(over)}."


def _against(over: Difference, what: str) -> str:
    if over.sign > 0:
        return f"It beats {what} by {signed(over)}."
    return f"That it beats {what} is not shown: {with_p(over)}."


def policy_sentences(result: Study, main: Analysis) -> str:
    """What going direct, and several bridges at once, add."""
    fixed, name = main.policy(main.fixed), fixed_name(main)
    said = [
        f"Directly, without a bridge, the mean {main.metric} is {with_interval(main.direct)}; through {name} "
        f"{with_interval(fixed.score)}, which is {with_p(fixed.over_direct)} over direct."
    ]
    both = next((one for one in main.policies if one.policy == CHAIN_OR_HOP), None)
    best = best_of_several(result)
    if best in {one.policy for one in main.policies}:
        said.append(_several(main.policy(str(best)), name, apart=_chosen_on(result) is not main))
    if both and any("en" in pair.split(":") for pair in main.pairs):
        said.append(
            "Three bridges in one prompt, and where English is in the pair one by right words into the target "
            f"('{both.policy}'), have {with_interval(both.score)}: {with_p(both.over_fixed)} over {name}, "
            f"{with_p(both.over_direct)} over direct."
        )
    tried = next((one for one in main.policies if one.policy == TRIED), None)
    if tried:
        said.append(
            "Who tries direct, the order from English, 'english-or-hop' and three bridges in one prompt on half of the "
            f"words, and takes what did best there, has {with_interval(tried.score)} on the others: "
            f"{with_p(tried.over_fixed)} over {name}, {with_p(tried.over_direct)} over direct."
        )
    return " ".join(said)


def exact_sentence(result: Study) -> str:
    """How many greedy answers are right, which is little in a small model."""
    pairs = [one for one in result.pairs if f"{one.source}:{one.target}" in result.main.pairs]
    direct = [one.exact[one.arms.index(DIRECT)].mean() for one in pairs]
    if np.isnan(direct).any():
        return ""
    best = [np.nanmax([row.mean() for row in one.exact if not np.isnan(row).any()]) for one in pairs]
    return (
        f" Greedy answers equal a right word for {share(float(np.mean(direct)))} of the words directly, and for "
        f"{share(float(np.mean(best)))} in each pair's best arm in hindsight."
    )


def _several(one: PolicyResult, name: str, *, apart: bool) -> str:
    over = one.over_fixed
    verdict = ("no difference is shown", "more than that", "less than that")
    did = "did best on the pairs for development; here it has" if apart else "does best on these very pairs; it has"
    return (
        f"Of several bridges, in one prompt (chain) or each in its own (vote), '{one.policy}' {did} "
        f"{with_interval(one.score)}, {with_p(over)} against {name}: {verdict[over.sign]}; "
        f"{with_p(one.over_direct)} against direct."
    )


def decision_sentences(main: Analysis) -> str:
    """How often bridging helps, and how often half of the words tell so rightly."""
    chains = [one for one in main.decisions if one.policy.startswith("chain of")]
    english = next(one for one in main.decisions if one.policy == ENGLISH)
    return " ".join(_decided(one) for one in (english, *chains[-1:]))


def _decided(one: Decisions) -> str:
    name = "Always English (French or the next where it is in the pair)" if one.policy == ENGLISH else f"'{one.policy}'"
    right = [
        f"{what} is right in {share(value)} of the cases in which it is said"
        for value, what in ((one.right_bridge, "'bridge'"), (one.right_direct, "'directly'"))
        if value is not None
    ]
    return (
        f"{name} helps beyond noise in {share(one.helps)} of the pairs and does harm beyond noise in "
        f"{share(one.harms)}. Where one half of the words decides and the other half judges, {listed(right)}."
    )


def basis(result: Study) -> str:
    """What the study rests on."""
    words = [len(one.words) for one in result.pairs]
    english = sum(one.with_english for one in result.pairs)
    own = result.settings.bridge_words == OWN
    where = "the model's own greedy translation" if own else "the dictionary's word"
    main = result.main
    counted = f"{min(words)}" if min(words) == max(words) else f"{min(words)} to {max(words)}"
    return (
        f"The study: {pairs_named(len(result.pairs))} ({english} with English as source or target), {counted} "
        f"words each from {result.settings.lexicon}, ranked among ten, through each of "
        f"{min(len(one.candidates) for one in result.pairs)} bridges or more; the bridge word in the prompt "
        f"is {where}. Words for which a bridge's dictionary word already is the answer are left out. Figures above are "
        f"of {counted_pairs(main)}; in brackets 95 % intervals over "
        f"{'pairs and words' if len(main.pairs) > 1 else 'words'}."
    )


def pairs_named(count: int) -> str:
    """A number of pairs: 1 pair, 2 pairs."""
    return f"{count} pair{'' if count == 1 else 's'}"


def counted_pairs(analysis: Analysis) -> str:
    """How many pairs an analysis is of, and of which kind."""
    return f"{pairs_named(len(analysis.pairs))}{_OF[analysis.name]}"


def with_interval(value: Interval) -> str:
    """A value and its interval."""
    return f"{number(value.value)} {interval(value.low, value.high)}"


def with_p(value: Difference) -> str:
    """A difference and its interval; with p where the interval alone would say too much."""
    beyond = value.sign == 0 and value.p is not None and not value.low <= 0 <= value.high
    return signed(value) + (f" (p = {number(value.p)} by signs of pairs)" if beyond and value.p is not None else "")


def marked(value: Difference) -> str:
    """A difference and its interval, as a table has it: with a mark where the interval alone would say too much."""
    return signed(value) + ("†" if with_p(value) != signed(value) else "")


def signed(value: Interval) -> str:
    """A difference and its interval."""
    return f"{number(value.value, sign=True)} {interval(value.low, value.high, sign=True)}"
