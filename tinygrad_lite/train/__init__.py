"""Training: gradient descent on modules and data sets, saved so that it can resume."""

from .checkpoint import TrainingError, load_weights
from .evaluate import accuracy, loss_of, probabilities, scores
from .loop import OPTIMIZERS, train
from .progress import Display
from .run import Diverged
from .stop import Interrupted

__all__ = [
    "Display",
    "Diverged",
    "Interrupted",
    "OPTIMIZERS",
    "TrainingError",
    "accuracy",
    "load_weights",
    "loss_of",
    "probabilities",
    "scores",
    "train",
]
