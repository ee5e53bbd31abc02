"""A spectrum in words: who is near whom, whether that is kinship, and how much of it is script and tokenizer."""

from __future__ import annotations

import numpy as np

from linguabridge import languages
from linguabridge.families import are_kin
from linguabridge.paired import shown
from linguabridge.spectrum.agreement import Mantel, NeighbourShare
from linguabridge.spectrum.results import (
    CKA,
    CORRELATION,
    HSIC,
    JACCARD,
    LABELS,
    OVERLAP,
    SHUFFLED,
    TOKENS,
    KinshipTest,
    MutualPair,
    Spectrum,
)
from linguabridge.words import listed, number, p_value, share

FEWEST_WITH_KIN = 6  # languages that have kin in the set, to say anything of families
_FEW = 6  # pairs named in a sentence, at most
_ALIKE = 0.02  # layers whose separation differs by less are not told apart
_SHORT = {OVERLAP: "overlap", JACCARD: "Jaccard", CKA: "CKA"}  # those whose mutual neighbours are told
_NAMES = (
    "That text is lists of short names of emoji, symbols and things, not sentences; loanwords and names left in "
    "English count like any others. For running text give --texts."
)
_STRONG = 0.7  # correlation from which a control is said to account for most of the picture (half of the variance)


def summary(result: Spectrum) -> str:
    """The whole answer as a few paragraphs of plain text."""
    return "\n\n".join(paragraphs(result))


def paragraphs(result: Spectrum) -> tuple[str, ...]:
    """The answer, a paragraph each: the verdict, who is near whom, kinship and script, layers."""
    found = (_verdict(result), _neighbours(result), _kinship(result), _layers(result))
    return tuple(one for one in found if one)


def _verdict(result: Spectrum) -> str:
    """Whether families keep together, and how much of that needs no network."""
    test = find_test(result, CORRELATION, "family")
    near = test.neighbours if test else None
    if near is None:
        known = sum(bool(path) for path in result.families.values())
        why = "no two of them are of one language family" if known >= 2 else "their families are not known"
        return f"Whether {result.model} keeps language families together cannot be told from these languages: {why}."
    if near.n < FEWEST_WITH_KIN:
        return (
            f"These are too few languages to tell whether {result.model} keeps language families together: "
            f"{near.n} of {len(result.languages)} have kin (a language of the same family) among the others, and "
            f"{FEWEST_WITH_KIN} are needed."
        )
    keeps = "keeps language families together" if shown(near.p) else "is not shown to keep language families together"
    said = [
        f"{result.model} {keeps}: {_hits(near)} languages with kin (a language of the same family) among the others "
        f"have one of them as nearest neighbour, {near.n * near.chance:.1f} would by chance (p {p_value(near.p)})."
    ]
    return " ".join([*said, *_without_network(result)])


def _without_network(result: Spectrum) -> list[str]:
    """How much of the picture is there without the network, and without word order."""
    said = []
    for name, what in (
        (TOKENS, "the overlap of token frequencies alone, without the network"),
        (SHUFFLED, "text with its tokens shuffled"),
    ):
        test = find_test(result, CORRELATION, name)
        if test and test.mantel:
            r, p = test.mantel.r, test.mantel.p
            most = "Most" if r >= _STRONG and shown(p) else "Part" if r > 0 and shown(p) else "No certain part"
            said.append(
                f"{most} of the picture can be had from {what} (r {number(r)}: {share(r * r)} of its variance; p "
                f"{p_value(p)})."
            )
    family = find_test(result, CORRELATION, "family")
    if family and family.given_tokens:
        left = family.given_tokens
        remains = "remains" if shown(left.p) and left.r > 0 else "is not shown to remain"
        said.append(
            f"With the overlap of tokens taken out, agreement with the family tree {remains} (partial Mantel's r "
            f"{number(left.r)}, p {p_value(left.p)})."
        )
    return said


def _hits(near: NeighbourShare) -> str:
    """``11 of 12``; neighbours that are equally near count in parts."""
    return f"{round(near.share * near.n, 1):g} of {near.n}"


def _neighbours(result: Spectrum) -> str:
    kin = [one for one in result.mutual if one.kin]
    strangers = [one for one in result.mutual if one.kin is False]
    unknown = [one for one in result.mutual if one.kin is None]
    said = []
    if not result.mutual:
        said.append("No two languages are each other's nearest neighbour.")
    if kin:
        said.append(f"Each other's nearest neighbours, and kin: {_pairs(kin)}.")
    if strangers:
        said.append(f"Each other's nearest neighbours, but no kin: {_pairs(strangers)}.")
    if unknown:
        said.append(f"Each other's nearest neighbours, of a family that is not known: {_pairs(unknown)}.")
    if others := _by_other_measures(result):
        said.append(f"No kin, but each other's nearest by another measure: {others}.")
    if others := _near_strangers(result):
        said.append(others)
    unsure = [one for one in result.mutual if one.support < 0.5]
    if unsure:
        said.append(f"Under half of the samples of the text confirm {_names(unsure)}.")
    return " ".join(said)


def _near_strangers(result: Spectrum) -> str:
    """Pairs of no kin, not mutual, that are as near as kin are; the nearest named."""
    matrix, codes = result.measure(CORRELATION).overall, result.codes
    kin: list[tuple[float, str, str]] = []
    strangers: list[tuple[float, str, str]] = []
    for i, first in enumerate(codes):
        for j, second in enumerate(codes[:i]):
            related = are_kin(result.families[first], result.families[second])
            if related is not None:
                (kin if related else strangers).append((float(matrix[i, j]), second, first))
    if not kin:
        return ""
    usual = float(np.median([value for value, _, _ in kin]))
    named = {frozenset((one.first, one.second)) for one in result.mutual}
    near = sorted((one for one in strangers if one[0] > usual and frozenset(one[1:]) not in named), reverse=True)
    if not near:
        return ""
    named_first = _some([f"{_name(a)} and {_name(b)} ({number(value)})" for value, a, b in near])
    are = "is" if len(near) == 1 else "are"
    return (
        f"Of the {len(strangers):,} pairs that are no kin, {len(near):,} more {are} nearer than half of the kin are "
        f"(above {number(usual)}): {named_first}."
    )


def _kinship(result: Spectrum) -> str:
    """Distances in the tree and in files, other measures, scripts; nothing where languages are too few."""
    test = find_test(result, CORRELATION, "family")
    near = test.neighbours if test else None
    said = []
    if test and test.mantel and near and near.n >= FEWEST_WITH_KIN:
        said.append(
            f"Distance in the model {_goes_with(test.mantel)} distance in the family tree{_mantel(test.mantel)}."
        )
        said += _other_measures(result)
    for path in result.settings.distances:
        mine = find_test(result, CORRELATION, path.stem)
        if mine and mine.mantel:
            said.append(
                f"Distance in the model {_goes_with(mine.mantel)} the distances of {path.name}{_mantel(mine.mantel)}."
            )
        else:
            said.append(f"{path.name} has too few distances of these languages, or all alike: nothing to compare with.")
    script = find_test(result, CORRELATION, "script")
    if script and script.neighbours and script.neighbours.n >= FEWEST_WITH_KIN:
        alike = script.neighbours
        han = ", Japanese counted with Chinese," if {"ja", "zh"} <= set(result.codes) else ""
        said.append(
            f"{_hits(alike)} languages that share their script with another{han} have their nearest neighbour in it "
            f"({alike.n * alike.chance:.1f} by chance, p {p_value(alike.p)})."
        )
        if left := script.given_tokens:
            more = "matters" if shown(left.p) and left.r > 0 else "is not shown to matter"
            said.append(f"With the overlap of tokens taken out, script {more}{_mantel(left)}.")
    return " ".join(said)


def _goes_with(one: Mantel) -> str:
    return "goes with" if shown(one.p) else "is not shown to go with"


def _mantel(one: Mantel) -> str:
    return f" (Mantel's r {number(one.r)}, p {p_value(one.p)})"


def _other_measures(result: Spectrum) -> list[str]:
    """How many have kin nearest by the measures beside the correlation, and by tokens alone."""
    named = []
    for measure, called in (*_SHORT.items(), (HSIC, "HSIC"), (TOKENS, "tokens alone")):
        test = find_test(result, measure, "family")
        if test and test.neighbours:
            near = test.neighbours
            chance = "" if shown(near.p) else ": not shown to be more than chance"
            named.append(f"{_hits(near)} by {called} (p {p_value(near.p)}{chance})")
    return [f"By other measures, kin are nearest for {listed(named)}."] if named else []


def _layers(result: Spectrum) -> str:
    curve = next(one for one in result.curves if one.measure == CORRELATION)
    separated = [(value, layer) for layer, value in enumerate(curve.separation) if value is not None]
    test = find_test(result, CORRELATION, "family")
    said = []
    if separated and test and test.neighbours and test.neighbours.n >= FEWEST_WITH_KIN:
        most, least = max(separated)[0], min(separated)[0]
        said.append(
            f"Families stand apart most in {_layers_of(separated, most)}, where a pair of kin is more alike than a "
            f"pair that is none in up to {share(most)} of cases, and least in {_layers_of(separated, least)} (down to "
            f"{share(least)}; chance is 50 %)."
        )
    alike = [(value, layer) for layer, value in enumerate(curve.between) if value is not None]
    if alike:
        said.append(
            f"Languages that are no kin are most alike in layer {max(alike)[1]} and least in layer {min(alike)[1]}."
        )
    counts = result.counts
    total = sum(counts.one) + sum(counts.some) + sum(counts.all)
    said.append(
        f"Of the {total:,} neurons in any language's top set, {sum(counts.all):,} are in all {len(result.languages)}, "
        f"{sum(counts.some):,} in several, {sum(counts.one):,} in one."
    )
    return " ".join(said)


def _layers_of(values: list[tuple[float, int]], best: float) -> str:
    """Layers within .02 of a value: nearer ones are not told apart."""
    layers = sorted(layer for value, layer in values if abs(value - best) <= _ALIKE)
    if len(layers) == 1:
        return f"layer {layers[0]}"
    if layers == list(range(layers[0], layers[-1] + 1)):
        return f"layers {layers[0]} to {layers[-1]}"
    return f"layers {listed([str(layer) for layer in layers])}"


def _by_other_measures(result: Spectrum) -> str:
    """Pairs of no kin that are mutual nearest neighbours by CKA, overlap or Jaccard alone.

    Not by HSIC: most of its values are so near 0 that chance decides which is the largest.
    """
    named = {frozenset((one.first, one.second)) for one in result.mutual}
    found: dict[frozenset[str], list[str]] = {}
    for measure, pairs in result.mutual_by_measure.items():
        for a, b in pairs:
            strangers = are_kin(result.families[a], result.families[b]) is False
            if measure in _SHORT and strangers and frozenset((a, b)) not in named:
                found.setdefault(frozenset((a, b)), []).append(_SHORT[measure])
    return _some([f"{' and '.join(sorted(map(_name, pair)))} ({', '.join(by)})" for pair, by in found.items()])


def basis(result: Spectrum) -> list[str]:
    """What the answer rests on; a sentence each."""
    counts = [count for _, _, count in result.profiled.values()]
    sources = sorted({source for source, _, _ in result.profiled.values()})
    spread = f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"
    where = listed(sources) if len(sources) <= 3 else f"{sources[0]} and {len(sources) - 1} more"
    said = [
        f"Neurons were read on {spread} tokens a language ({where}).",
        *([_NAMES] if "Unicode CLDR names" in sources else []),
        f"Top sets hold {100 * result.settings.top_rate:g} % of all {sum(result.widths):,} neurons.",
        f"Nearest neighbours, tree and map rest on the {LABELS[CORRELATION]}; support is the share of "
        f"{result.settings.samples:,} bootstrap samples of the text in which a branch or a neighbour comes out.",
        _map(result),
    ]
    if not result.settings.shuffled:
        said.append("The control on shuffled text was left out (--no-shuffled).")
    if result.n_concepts:
        said.append(
            f"CKA and HSIC compare the words for {result.n_concepts} concepts that all languages compared name."
        )
    return [*said, *result.notes]


def _map(result: Spectrum) -> str:
    """How much the map shows, and how many languages it puts beside another than their nearest."""
    apart = np.linalg.norm(result.points[:, None] - result.points[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    beside = [result.codes[int(i)] for i in apart.argmin(axis=1)]
    wrong = sum(near[0].code != other for near, other in zip(result.neighbours.values(), beside, strict=True))
    return (
        f"The map shows {share(result.shown)} of the differences between languages; on it, {wrong} of "
        f"{len(result.languages)} stand beside another language than their nearest."
    )


def find_test(result: Spectrum, measure: str, known: str) -> KinshipTest | None:
    """The test of a measure against something known; None where it was not made."""
    return next((one for one in result.kinship if (one.measure, one.known) == (measure, known)), None)


def _pairs(pairs: list[MutualPair]) -> str:
    return _some([f"{_name(one.first)} and {_name(one.second)} ({number(one.similarity)})" for one in pairs])


def _some(named: list[str]) -> str:
    more = len(named) - _FEW
    return "; ".join(named[:_FEW]) + (f"; and {more} more" if more > 0 else "")


def _names(pairs: list[MutualPair]) -> str:
    named = [f"{_name(one.first)}–{_name(one.second)}" for one in pairs]
    return listed(named[:_FEW] + ([f"{len(named) - _FEW} more"] if len(named) > _FEW else []))


def _name(code: str) -> str:
    return languages.parse(code).name
