"""What a run saves in `weights.safetensors`, and reads back to go on bit for bit.

The file holds the parameters under their names, the optimiser's state under `optimizer/...`, and as its facts the step,
the settings and the curve.  A checksum covers all of it: a run goes on from what was saved or not at all.  No state of a
random number generator is needed: the order of the samples follows from the seed and the number of the epoch.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..nn import Module
from ..nn.state import read_state, write_state

Array = np.ndarray[Any, Any]
WEIGHTS = "weights.safetensors"
STATE = "optimizer/"  # no attribute name, and so no parameter name, holds a slash


class TrainingError(ValueError):
    """A run cannot start, go on or be read; the message says why and names the way out."""


@dataclass(frozen=True)
class Checkpoint:
    """The values of the parameters, the optimiser's arrays, and the facts needed to go on: step, config, curve."""

    weights: dict[str, Array]
    optimizer: dict[str, Array] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the file in one go: it is the old one or the new one, whatever happens meanwhile."""
        arrays = self.weights | {STATE + name: array for name, array in self.optimizer.items()}
        write_state(path, arrays, self.facts)

    @property
    def seed(self) -> int:
        """The seed of the run, from which the model was made; 0 where the file does not say."""
        settings = self.facts.get("settings")
        seed = settings.get("seed") if isinstance(settings, dict) else None
        return seed if isinstance(seed, int) and seed >= 0 else 0

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a file that `save`, or anyone who writes safetensors, has written; a stranger's has no facts.

        Raises TrainingError where it is missing or damaged.
        """
        try:
            arrays, facts = read_state(path)
        except FileNotFoundError:
            raise TrainingError(f"{path}: no such file; train first, or name the folder of a finished run") from None
        except ValueError as error:
            raise TrainingError(f"{error}; take a copy of it, or train again") from None
        weights = {name: array for name, array in arrays.items() if not name.startswith(STATE)}
        state = {name.removeprefix(STATE): array for name, array in arrays.items() if name.startswith(STATE)}
        return cls(weights, state, facts)


def load_weights(net: Module, path: str | os.PathLike[str]) -> None:
    """Give a module the parameters saved by a run (or by anyone who names them so in a safetensors file).

    Raises TrainingError where the file is missing or damaged, or its names or shapes are not those of the module.
    """
    saved = Checkpoint.load(Path(path))
    try:
        net.load_state_dict(saved.weights)
    except ValueError as error:
        raise TrainingError(f"{path}: {error}; name the weights that this model was trained to") from None
