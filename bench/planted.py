"""Which estimator finds a bridge that was planted? ``python -m bench.planted`` prints the tables of docs/planted.md.

Estimators, all on the same data: ``cka``, the default; ``cka, length given``, which takes prompt length into account
(linguabridge.permutation); ``reference``, the published measure with its rule for empty layers. The second table is of
sets that are independent: what size alone does to a score.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy import stats

from bench.timing import timed
from linguabridge.dependence import score
from linguabridge.neurons import NeuronSet
from linguabridge.permutation import permutation_p
from linguabridge.planted import Plan, PlannedBridge, Planted, planted_activations

SHARES = (0.6, 0.4, 0.3, 0.2, 0.1, 0.0)  # of the candidates, the right one first
ESTIMATORS = ("cka", "cka, length given", "reference")
SIZES = (1, 2, 5, 10, 30, 100, 500)  # of independent sets
SEEDS = 30
_FOR_A_MEAN = 49  # permutations; here only the score is wanted
Sizes = tuple[int, ...]


def plan(
    right: Sizes = (10, 10, 10),
    wrong: tuple[Sizes, ...] = ((10, 10, 10),),
    *,
    shared: Sizes = (10, 10, 10),
    probes: int = 100,
    factors: int = 3,
    loading: float = 0.7,
    of_right: float | None = None,
    nuisance: tuple[float, float, float] = (0, 0, 0),
) -> Plan:
    """Six candidates with the shares of :data:`SHARES`.

    Args:
        right: neurons of the right candidate in each layer.
        wrong: of the others, in turn.
        shared: of the shared set.
        probes: number of them.
        factors: that shared neurons load on.
        loading: of all neurons.
        of_right: of the right candidate's, if another.
        nuisance: loading on it of the shared set, the right candidate, and the wrong ones.
    """
    bridges = tuple(
        PlannedBridge(share, wrong[number % len(wrong)], loading, nuisance[2])
        for number, share in enumerate(SHARES[1:])
    )
    first = PlannedBridge(SHARES[0], right, loading if of_right is None else of_right, nuisance[1])
    return Plan((first, *bridges), shared, probes, factors, loading, nuisance[0])


CONDITIONS: Mapping[str, Plan] = {
    "all sets alike": plan(),
    "wrong ones 10 times larger": plan((5, 5, 5), ((50, 50, 50),)),
    "right one 10 times larger": plan((50, 50, 50), ((5, 5, 5),)),
    "thin and empty layers": plan(
        (3, 0, 4, 2, 5, 0), ((1, 2, 4, 4, 0, 6), (2, 1, 1, 0, 2, 2), (8, 6, 9, 7, 5, 8)), shared=(2, 1, 3, 2, 0, 4)
    ),
    "all carry prompt length": plan(nuisance=(0.5, 0.5, 0.5)),
    "wrong ones carry more of it": plan(nuisance=(0.5, 0.2, 0.8)),
    "the same, 10 times larger": plan((5, 5, 5), ((50, 50, 50),), nuisance=(0.5, 0.2, 0.8)),
    "20 probes": plan(probes=20),
    "weak loading": plan(loading=0.4),
    "right one's loading weaker": plan(loading=0.9, of_right=0.6),
    "30 factors": plan(factors=30),
}


def scores(planted: Planted, estimator: str) -> dict[str, float]:
    """Each candidate's score."""
    if estimator == "reference":
        return {code: _reference(planted, bridge) for code, bridge in planted.bridges.items()}
    given = planted.nuisance if estimator == ESTIMATORS[1] else None
    found = permutation_p(
        planted.values,
        planted.rows,
        planted.shared,
        planted.bridges,
        planted.window,
        given=given,
        permutations=1 if given is None else _FOR_A_MEAN,
    )
    return {code: -np.inf if one.score is None else one.score for code, one in found.items()}


def _reference(planted: Planted, bridge: NeuronSet) -> float:
    """As ``rank_candidates(…, estimator="reference", empty_layers_count=True)``, without its half-samples."""
    layers = []
    for layer in planted.window:
        x, y = (planted.values[some.layer(layer)] for some in (planted.shared, bridge))  # a row for every neuron
        layers.append(score(x, y, estimator="reference") if len(x) and len(y) else 0.0)
    return float(np.mean(layers))


def success(condition: Plan, estimator: str, seeds: range) -> tuple[float, float]:
    """Share of seeds with the right bridge first (ties share it), and the mean of Kendall's tau with the truth."""
    first, tau = [], []
    for seed in seeds:
        planted = planted_activations(condition, seed)
        by_code = scores(planted, estimator)
        winners = [code for code, value in by_code.items() if value == max(by_code.values())]
        first.append((planted.best in winners) / len(winners))
        tau.append(stats.kendalltau([by_code[c] for c in planted.shares], list(planted.shares.values())).statistic)
    return float(np.mean(first)), float(np.mean(tau))


def of_nothing(size: int, estimator: str, seeds: range) -> tuple[float, float]:
    """Mean score of an independent set of this size against 20 neurons over 60 probes, and its standard error."""
    made = Plan((PlannedBridge(0, (size,)),), (20,), probes=60)
    drawn = [scores(planted_activations(made, seed), estimator)["a"] for seed in seeds]
    return float(np.mean(drawn)), float(stats.sem(drawn))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="data sets drawn for each condition")
    seeds = range(parser.parse_args().seeds)
    torch.set_num_threads(1)  # matrices are small
    table = Table("condition", *ESTIMATORS, title=f"right bridge first, Kendall's tau; {len(seeds)} seeds")

    sizes = Table("neurons", "cka", "reference", title="independent sets: score ± standard error")

    def fill() -> None:
        for name, condition in CONDITIONS.items():
            cells = [success(condition, estimator, seeds) for estimator in ESTIMATORS]
            table.add_row(name, *(f"{first:.0%}, {tau:.2f}" for first, tau in cells))
        for size in SIZES:
            means = [of_nothing(size, estimator, seeds) for estimator in ("cka", "reference")]
            sizes.add_row(str(size), *(f"{mean:.4f} ± {error:.4f}" for mean, error in means))

    seconds = timed(fill)
    console = Console()
    console.print(table, sizes)
    console.print(f"{seconds:.0f} s")


if __name__ == "__main__":
    main()
