"""Names of the files that runs are made of, in one place and without what writes them: ``--json`` replaces none."""

from __future__ import annotations

PROGRESS = "progress.json"  # of any run that takes long
RECOMMENDATION = "recommend.json"
SPECTRUM, PAIRS = "spectrum.json", "pairs.parquet"
STUDY, RANKS, HOPS = "study.json", "ranks.parquet", "hops.parquet"
ABLATION = "ablation.json"
SUMMARY, ITEMS, MANIFEST = "summary.json", "items.parquet", "manifest.json"  # of an evaluation

RUN_FILES = (
    *(PROGRESS, RECOMMENDATION, SPECTRUM, PAIRS, STUDY, RANKS, HOPS, ABLATION),
    *(SUMMARY, ITEMS, MANIFEST),
)
