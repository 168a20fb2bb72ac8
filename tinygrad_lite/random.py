"""The random numbers of initialisers and dropout: one generator a thread, seeded as PyTorch's is.

Threads that drew from one generator would take numbers from each other, and no run could be repeated.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

thread = threading.local()


def manual_seed(seed: int | Sequence[int]) -> None:
    """Start the random numbers of initialisers and dropout from a seed, a number ≥ 0 or several; what follows is repeatable.

    It counts for the thread that calls it.

    >>> manual_seed(0)
    >>> first = generator().random()
    >>> manual_seed(0)
    >>> generator().random() == first
    True
    """
    import numpy as np

    thread.generator = np.random.default_rng(seed)


def generator() -> np.random.Generator:
    """Return the generator that initialisers and dropout draw from in this thread; without a seed it starts anywhere."""
    import numpy as np

    if not hasattr(thread, "generator"):
        thread.generator = np.random.default_rng()
    return thread.generator  # type: ignore[no-any-return]


__all__ = ["generator", "manual_seed"]
