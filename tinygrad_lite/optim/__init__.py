"""Optimisers, schedules of the learning rate, and clipping of gradients."""

from .clip import clip_grad_norm, clip_grad_value
from .methods import SGD, Adagrad, Adam, AdamW, RMSprop
from .optimizer import Optimizer
from .schedule import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR, StepLR

__all__ = [
    "Adagrad",
    "Adam",
    "AdamW",
    "CosineAnnealingLR",
    "LRScheduler",
    "LinearLR",
    "Optimizer",
    "RMSprop",
    "SGD",
    "SequentialLR",
    "StepLR",
    "clip_grad_norm",
    "clip_grad_value",
]
