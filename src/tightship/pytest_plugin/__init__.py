"""Leak trials in pytest. It stands beside the leak test, which every run of pytest would load with it otherwise."""
