"""Labelled cases for the leak test, and what runs them: `python -m benchmarks.leaks.run`."""
