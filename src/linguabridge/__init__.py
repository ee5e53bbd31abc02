"""Bridge languages for large language models, from the neurons that languages share."""
