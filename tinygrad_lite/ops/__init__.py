"""The table of operations, by family.  Importing it registers every op; nothing else is defined here.

A family lists its ops in `__all__`; from there they reach `tinygrad_lite`.
"""

from typing import TYPE_CHECKING

from ..op import REGISTRY
from .activations import *  # noqa: F403
from .convolution import *  # noqa: F403
from .elementwise import *  # noqa: F403
from .functions import *  # noqa: F403
from .indexing import *  # noqa: F403
from .linear import *  # noqa: F403
from .loss import *  # noqa: F403
from .matrix import *  # noqa: F403
from .neural import *  # noqa: F403
from .reduction import *  # noqa: F403
from .shape import *  # noqa: F403
from .sorting import *  # noqa: F403

if not TYPE_CHECKING:
    __all__ = list(REGISTRY)
