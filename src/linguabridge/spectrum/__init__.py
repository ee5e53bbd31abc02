"""The linguistic spectrum: how a model relates languages to each other."""
