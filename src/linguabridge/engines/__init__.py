"""Engines: a model in this process (``local``) or behind an OpenAI-compatible server (``endpoint``)."""
