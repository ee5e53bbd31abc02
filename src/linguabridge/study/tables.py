"""Tables of a study for the terminal."""

from __future__ import annotations

from collections import Counter

import numpy as np
from rich.table import Table

from linguabridge.check import CHAINED, DIRECT
from linguabridge.settings import FIXED_OR_HOP
from linguabridge.study.analysis import Analysis
from linguabridge.study.fixed import BEST_FIXED
from linguabridge.study.measured import MeasuredPair
from linguabridge.study.policies import CHAIN_OR_HOP, ENGLISH, TRIED, TRIED_CHAIN
from linguabridge.study.regret import attainable
from linguabridge.study.results import Study
from linguabridge.study.settings import DEVELOPMENT, parse_pairs
from linguabridge.study.words import FIXED_IS, NOT_SHOWN, TITLES, counted_pairs, marked, signed, with_interval
from linguabridge.tables import new_table
from linguabridge.words import number, share

_POLICIES = 12  # rows


def ways_table(one: Analysis) -> Table:
    """All ways of choosing one bridge, the least regret first."""
    table = new_table(f"Ways of choosing one bridge, on {counted_pairs(one)} ({one.metric})")
    for name in ("way", "regret", "over fixed", "fine"):
        table.add_column(name, justify="left" if name == "way" else "right", no_wrap=True)
    for way in one.ways:
        table.add_row(
            way.way,
            with_interval(way.regret),
            marked(way.over_fixed),
            share(way.fine.value),
        )
    table.caption = (
        "In brackets: 95 % intervals. regret: lost against the best bridge, picked on half of the words and scored on "
        f"the other ({number(one.oracle.value)} on average). over fixed: gained over the fixed bridge. {FIXED_IS} "
        f"fine: pairs whose pick is the best or not shown to be worse. {NOT_SHOWN}"
    )
    return table


def order_table(one: Analysis) -> Table:
    """What ways gain over chance, and how well their scores order all bridges."""
    table = new_table(f"Over chance, and the order of all bridges, on {counted_pairs(one)} ({one.metric})")
    for name in ("way", "over random", "τ"):
        table.add_column(name, justify="left" if name == "way" else "right", no_wrap=True)
    for way in one.ways:
        table.add_row(
            way.way,
            marked(way.over_random),
            signed(way.tau) if way.tau else "–",
        )
    table.caption = (
        "In the order above. τ: Kendall's, of a way's scores with the measured accuracies of all bridges; two halves "
        f"of the words agree by {signed(one.ceiling)}; scores without noise of their own could agree with all words by "
        f"about {number(attainable(one.ceiling.value))}. {NOT_SHOWN}"
    )
    return table


def policies_table(one: Analysis) -> Table:
    """Direct, single bridges, chains and votes, the best first."""
    table = new_table(f"Direct, one bridge or several, on {counted_pairs(one)} ({one.metric})")
    for name in ("policy", "score", "over fixed", "over direct"):
        table.add_column(name, justify="left" if name == "policy" else "right", no_wrap=True)
    always = {DIRECT, ENGLISH, f"{ENGLISH} or direct", BEST_FIXED, "random", TRIED}
    shown = [
        row
        for place, row in enumerate(one.policies)
        if place < _POLICIES or row.policy in always or row.policy.startswith(("chain", "vote"))
    ]
    for row in shown:
        table.add_row(
            row.policy,
            number(row.score.value),
            marked(row.over_fixed),
            marked(row.over_direct),
        )
    table.caption = (
        "chain: several bridges in one prompt, two where source and target are among the four fixed ones. vote: "
        "likelihoods of separate prompts summed. or direct: bridged only where it did better than direct on the other "
        "half of the words. tried: direct, English, english-or-hop and chain of 3 tried on the other half, the best "
        "taken. chain-or-hop: chain of 3; where English is in the pair, right words into the target. "
        f"{NOT_SHOWN}"
    )
    return table


def measures_table(result: Study) -> Table:
    """The policies that are spoken of, by other measures than the mean reciprocal rank."""
    main = result.main
    by_first = result.analysis(main.name, "P@1")
    assert by_first is not None
    table = new_table(f"By other measures, on {counted_pairs(main)}")
    for name in ("policy", "P@1", "over fixed", "over direct", "exact"):
        table.add_column(name, justify="left" if name == "policy" else "right", no_wrap=True)
    spoken = (TRIED, CHAIN_OR_HOP, FIXED_OR_HOP, TRIED_CHAIN, BEST_FIXED, ENGLISH, DIRECT)
    for row in sorted(by_first.policies, key=lambda one: -one.score.value):
        if row.policy in spoken:
            exact = main.policy(row.policy).exact
            table.add_row(
                row.policy,
                number(row.score.value),
                marked(row.over_fixed),
                marked(row.over_direct),
                share(exact.value) if exact else "–",
            )
    table.caption = f"P@1: ranked first among ten. exact: greedy answers that equal a right word. {NOT_SHOWN}"
    return table


def curves_table(one: Analysis) -> Table:
    """Regret by the number of words looked at."""
    table = new_table(f"How few words suffice: regret ({one.metric}) by words looked at")
    sizes = sorted({n for curve in one.curves for n in curve.words})
    table.add_column("way")
    for n in sizes:
        table.add_column(str(n), justify="right")
    for curve in one.curves:
        known = dict(zip(curve.words, curve.regret, strict=True))
        table.add_row(curve.way, *(number(known[n]) if n in known else "" for n in sizes))
    table.caption = (
        "hops: right words in both hops, each on so many words. second-hop: in the second alone. pilot: every bridge "
        "tried on so many words, the best taken, scored on the others."
    )
    return table


def pairs_table(result: Study) -> Table:
    """Every pair's MRR on all of its words: direct, always English, the best bridge, and most bridges in one prompt."""
    table = new_table("By pair, on all its words (MRR)")
    columns = ("pair", "set", "direct", "English", "best bridge", "chain", "copies")
    exact = not any(np.isnan(one.exact[one.arms.index(DIRECT)]).any() for one in result.pairs)
    for name in (*columns, *(("exact",) if exact else ())):
        table.add_column(name, justify="left" if name in ("pair", "set") else "right", no_wrap=True)
    development = set(parse_pairs(DEVELOPMENT))
    for one in result.pairs:
        mean = dict(zip(one.arms, (1 / one.ranks).mean(axis=1), strict=True))
        best = max(one.candidates, key=mean.__getitem__)
        always = max(zip(one.scores[ENGLISH], one.candidates, strict=True), key=lambda scored: scored[0])[1]
        chain = _chain(one)
        table.add_row(
            f"{one.source} → {one.target}",
            "dev" if one.pair in development else "new",
            number(mean[DIRECT]),
            f"{number(mean[always])} ({always})",
            f"{number(mean[best])} ({best})",
            number(mean[chain]) if chain else "–",
            str(one.n_copied),
            *([_exact(one)] if exact else []),
        )
    chains = Counter(filter(None, map(_chain, result.pairs)))
    said = (
        "set: dev, those that ways were made and chosen on; new, that nothing was chosen on.",
        "English: or French, or the next.",
        "The best bridge is picked on the very words it is scored on, and flattered by that.",
        *(f"chain: the most bridges tried in one prompt, such as {one}." for one, _ in chains.most_common(1)),
        "copies: words left out because some bridge's word already is the answer.",
        *(
            ["exact: greedy answers that are right, directly, and through the bridge that has most of them."]
            if exact
            else []
        ),
    )
    table.caption = " ".join(said)
    return table


def _chain(one: MeasuredPair) -> str:
    """The arm with the most bridges in one prompt; empty where there is none."""
    return max((arm for arm in one.arms if CHAINED in arm), key=lambda arm: arm.count(CHAINED), default="")


def _exact(one: MeasuredPair) -> str:
    shares = {arm: float(row.mean()) for arm, row in zip(one.arms, one.exact, strict=True)}
    best = max(one.candidates, key=shares.__getitem__)
    return f"{share(shares[DIRECT])}, {share(shares[best])}" + (f" ({best})" if shares[best] else "")


def titles_table() -> Table:
    """All ways of choosing, and what they go by."""
    table = new_table("Ways of choosing a bridge")
    table.add_column("way")
    table.add_column("goes by", overflow="fold")
    for way, title in TITLES.items():
        table.add_row(way, title)
    return table
