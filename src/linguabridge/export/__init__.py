"""Results for the tools that people already use: lm-evaluation-harness, a serving stack, data frames."""
