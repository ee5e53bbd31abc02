"""The cache folder from outside: what lies in it, clearing it, and checking it. No torch is needed."""
