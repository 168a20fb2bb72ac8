"""How many threads a matrix product of a run gets: below a size they cost more than they give."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from threadpoolctl import threadpool_info, threadpool_limits

from ..nn import Module

WORTH = 1 << 28  # multiplications in a product from which more than one thread pays; docs/benchmarks.md


def blas_threads(net: Module, columns: int) -> AbstractContextManager[Any]:
    """Give the products of a run one thread, unless its largest parameter times the columns of a batch is large.

    It depends on the model and the batch alone, and so is the same when the run is resumed.  A product that meets a
    parameter more often than once a column, as a convolution does, is taken for smaller than it is.
    """
    largest = max((p.size for p in net.parameters()), default=0) * columns
    return threadpool_limits(1, "blas") if largest < WORTH else nullcontext()


def described() -> str:
    """Say which libraries multiply matrices, and with how many threads."""
    found = [
        f"{pool['internal_api']} {pool['num_threads']}" for pool in threadpool_info() if pool["user_api"] == "blas"
    ]
    return f"{', '.join(found) or 'unknown'}; in training 1 for products below {WORTH:,} multiplications"
