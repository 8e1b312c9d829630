"""Watched folders: each file that comes gets its result, once. `watch` does it; `WatchConfig` says what."""
