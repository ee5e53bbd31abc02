"""A model on workers of a Ray cluster."""
