"""Benchmarks of linguabridge."""
