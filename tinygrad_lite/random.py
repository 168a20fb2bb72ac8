"""The random numbers of initialisers and dropout: one generator, seeded as PyTorch's is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_generator: np.random.Generator | None = None


def manual_seed(seed: int | Sequence[int]) -> None:
    """Start the random numbers of initialisers and dropout from a seed, a number ≥ 0 or several; what follows is repeatable.

    >>> manual_seed(0)
    >>> first = generator().random()
    >>> manual_seed(0)
    >>> generator().random() == first
    True
    """
    import numpy as np

    global _generator
    _generator = np.random.default_rng(seed)


def generator() -> np.random.Generator:
    """Return the generator that initialisers and dropout draw from; without a seed it starts anywhere."""
    import numpy as np

    global _generator
    if _generator is None:
        _generator = np.random.default_rng()
    return _generator


__all__ = ["generator", "manual_seed"]
