"""A spectrum in words: who is near whom, whether that is kinship, and how much of it is script and tokenizer."""

from __future__ import annotations

import numpy as np

from linguabridge import languages
from linguabridge.families import are_kin
from linguabridge.spectrum.results import (
    CKA,
    CORRELATION,
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

LEVEL = 0.05
_FEW = 6  # pairs named in a sentence, at most
_ALIKE = 0.02  # layers whose separation differs by less are not told apart
_SHORT = {OVERLAP: "overlap", JACCARD: "Jaccard", CKA: "CKA"}
_STRONG = 0.7  # correlation from which a control is said to account for most of the picture (half of the variance)


def summary(result: Spectrum) -> str:
    """The whole answer as a few paragraphs of plain text."""
    return "\n\n".join(paragraphs(result))


def paragraphs(result: Spectrum) -> tuple[str, ...]:
    """The answer, a paragraph each: neighbours, kinship, script and tokenizer, layers."""
    found = (_neighbours(result), _kinship(result), _controls(result), _layers(result))
    return tuple(one for one in found if one)


def _neighbours(result: Spectrum) -> str:
    kin = [one for one in result.mutual if one.kin]
    strangers = [one for one in result.mutual if one.kin is False]
    unknown = [one for one in result.mutual if one.kin is None]
    said = [f"How {result.model} relates {len(result.languages)} languages."]
    if not result.mutual:
        said.append("No two of them are each other's nearest neighbour.")
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
    return (
        f"Of the {len(strangers):,} pairs that are no kin, {len(near):,} more are nearer than the median pair of kin "
        f"({number(usual)}): {named_first}."
    )


def _kinship(result: Spectrum) -> str:
    test = find_test(result, CORRELATION, "family")
    said = []
    if test and test.neighbours:
        near = test.neighbours
        said.append(
            f"Of the {near.n} languages with kin among the others, {share(near.share)} have their nearest neighbour in "
            f"their own family; {share(near.chance)} would by chance (p {p_value(near.p)})."
        )
    if test and test.mantel:
        said.append(
            f"Distance in the model goes {_with(test.mantel.r)} distance in the family tree (Mantel's r "
            f"{number(test.mantel.r)}, p {p_value(test.mantel.p)})."
        )
    if not said:
        known = [path for path in result.families.values() if path]
        if len(known) < 2:
            return "The families of these languages are not known, so nothing can be compared with kinship."
        return "No two of these languages are of one family, so nothing can be compared with kinship."
    return " ".join(said)


def _with(r: float) -> str:
    return "with" if r > 0 else "against"


def _controls(result: Spectrum) -> str:
    """How much of the picture is there without the network, and without word order."""
    said = []
    for name, what in (
        (TOKENS, "the overlap of token frequencies, in which the network has no part,"),
        (SHUFFLED, "the same computed on shuffled tokens"),
    ):
        test = find_test(result, CORRELATION, name)
        if test and test.mantel:
            r = test.mantel.r
            said.append(
                f"The picture agrees with {what} by r {number(r)} ({share(r * r)} of its variance)"
                f"{': much of it is there already' if r >= _STRONG else ''}."
            )
    script = find_test(result, CORRELATION, "script")
    if script and script.neighbours:
        near = script.neighbours
        said.append(
            f"{share(near.share)} of {near.n} languages have a nearest neighbour in their own script "
            f"({share(near.chance)} by chance, p {p_value(near.p)})."
        )
    tokens = find_test(result, TOKENS, "family")
    if tokens and tokens.neighbours:
        said.append(
            f"By tokens alone, {share(tokens.neighbours.share)} of nearest neighbours are of one family "
            f"({share(tokens.neighbours.chance)} by chance)."
        )
    family = find_test(result, CORRELATION, "family")
    if family and family.given_tokens:
        left = family.given_tokens
        verdict = "remains" if left.p < LEVEL and left.r > 0 else "is not shown to remain"
        said.append(
            f"With the overlap of tokens taken out, agreement with the family tree {verdict} (partial Mantel's r "
            f"{number(left.r)}, p {p_value(left.p)})."
        )
    return " ".join(said)


def _layers(result: Spectrum) -> str:
    curve = next(one for one in result.curves if one.measure == CORRELATION)
    separated = [(value, layer) for layer, value in enumerate(curve.separation) if value is not None]
    said = []
    if separated:
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
        f"Top sets hold {100 * result.settings.top_rate:g} % of all {sum(result.widths):,} neurons.",
        f"Nearest neighbours, tree and map rest on the {LABELS[CORRELATION]}; support is the share of "
        f"{result.settings.samples:,} bootstrap samples of the text in which a branch or a neighbour comes out.",
        f"The map shows {share(result.shown)} of the differences between languages.",
    ]
    if result.n_concepts:
        said.append(
            f"CKA and HSIC compare the words for {result.n_concepts} concepts that all languages compared name."
        )
    if len(result.languages) < 10:
        said.append("So few languages make tests of kinship weak; take their p-values with care.")
    return [*said, *result.notes]


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
