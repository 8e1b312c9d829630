"""Tell speech from the rest while the samples pass: Silero's voice activity detector, fed block by block."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

#: Samples that one probability stands for: 32 ms at 16 kHz. The network is made for this length.
CHUNK = 512
#: Samples of the chunk before that the network is shown with each chunk.
_CONTEXT = 64
#: Numbers in the network's memory.
_MEMORY = 128


class Detector(Protocol):
    """A voice detector that remembers what it has heard."""

    def probabilities(self, samples: Samples) -> NDArray[np.float32]:
        """Return how probable speech is in each chunk of `samples`, whose length is a multiple of `CHUNK`."""


class SileroNetwork:
    """The network as it ships with faster-whisper, loaded once; each stream gets a detector of its own."""

    def __init__(self) -> None:
        from faster_whisper.vad import get_vad_model

        self._session: Any = get_vad_model().session

    def detector(self) -> SileroDetector:
        """Return a detector that has heard nothing yet."""
        return SileroDetector(self._session)


class SileroDetector:
    """One stream's detector: the network's memory and the last samples are carried from block to block."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._h = np.zeros((1, 1, _MEMORY), np.float32)
        self._c = np.zeros((1, 1, _MEMORY), np.float32)
        self._tail = np.zeros(_CONTEXT, np.float32)

    def probabilities(self, samples: Samples) -> NDArray[np.float32]:
        """Return how probable speech is in each chunk; see `Detector`."""
        chunks = samples.reshape(-1, CHUNK)
        if not len(chunks):
            return np.zeros(0, np.float32)
        before = np.concatenate([self._tail[None], chunks[:-1, -_CONTEXT:]])
        self._tail = chunks[-1, -_CONTEXT:].copy()
        heard, self._h, self._c = self._session.run(
            None, {"input": np.concatenate([before, chunks], axis=1), "h": self._h, "c": self._c}
        )
        probabilities: NDArray[np.float32] = heard.reshape(-1)
        return probabilities
