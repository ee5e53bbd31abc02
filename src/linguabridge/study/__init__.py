"""The study: which way of choosing a bridge loses least against the best bridge, and does bridging help at all?

A grid of pairs × bridges is measured once (``items``, ``grid``); every way of choosing
(:mod:`linguabridge.choosing`) then picks without seeing those words, and ``regret`` tells what it lost.
"""
