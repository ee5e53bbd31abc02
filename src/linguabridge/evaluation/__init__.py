"""Experiments: arms, demonstrations, statistics and results of ``linguabridge evaluate``."""
