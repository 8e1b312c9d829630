"""Media made on the spot for tests: healthy, odd and hostile."""
