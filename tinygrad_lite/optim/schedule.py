"""Schedules: the learning rate as a function of the number of the step.

A schedule is one formula, `lr_at(epoch)`; nothing is accumulated, so that to resume it takes two numbers.  An epoch here is
whatever lies between two calls of `step()`: a pass over the data or a single step.  Call it after `optimizer.step()`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from operator import index
from typing import Any

from .optimizer import Optimizer, number


class LRScheduler:
    """What schedules share; a new one is a subclass that defines `lr_at`.

    All schedules of an optimiser start from its `initial_lr`: the learning rate it had when the first of them was made.
    Raises TypeError for what is no optimiser.

    >>> class Halving(optim.LRScheduler):
    ...     def lr_at(self, epoch):
    ...         return self.base_lr / 2**epoch
    >>> opt = optim.SGD([Tensor([1.0], requires_grad=True)], lr=0.5)
    >>> schedule = Halving(opt)
    >>> schedule.step()
    >>> opt.lr
    0.25
    """

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__} takes an optimiser first, not {type(optimizer).__name__}")
        if optimizer.initial_lr is None:
            optimizer.initial_lr = optimizer.lr
        self.optimizer = optimizer
        self.last_epoch = 0
        self._set_lr()

    @property
    def base_lr(self) -> float:
        """The learning rate of the optimiser when its first schedule was made."""
        assert self.optimizer.initial_lr is not None
        return self.optimizer.initial_lr

    def lr_at(self, epoch: int) -> float:
        """Return the learning rate after that many calls of `step()`; every schedule defines this."""
        raise NotImplementedError(f"{type(self).__name__} defines no lr_at(self, epoch)")

    def step(self) -> None:
        """Give the optimiser the learning rate of the next epoch.

        Raises RuntimeError where anything else has changed it meanwhile: that change would be lost.
        """
        if self.optimizer.lr != self._last_lr:
            raise RuntimeError(
                f"the learning rate is {self.optimizer.lr:g}, but this {type(self).__name__} has set it to "
                f"{self._last_lr:g}, and would overwrite it; join schedules with SequentialLR, or scale the whole "
                "schedule by optimizer.initial_lr"
            )
        self.last_epoch += 1
        self._set_lr()

    def get_last_lr(self) -> list[float]:
        """Return the learning rate that was set last, in a list of one, as PyTorch does."""
        return [self._last_lr]

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to go on: the number of the epoch and the initial learning rate.

        >>> opt = optim.SGD([Tensor([1.0], requires_grad=True)], lr=0.5)
        >>> StepLR(opt, step_size=10).state_dict()
        {'last_epoch': 0, 'initial_lr': 0.5}
        """
        return {"last_epoch": self.last_epoch, "initial_lr": self.base_lr}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a schedule with the same settings was saved; the optimiser gets its learning rate at once.

        Raises ValueError where it is no state of a schedule; then nothing is changed.
        """
        if set(state) != {"last_epoch", "initial_lr"}:
            raise ValueError(
                f"the state of a schedule has last_epoch and initial_lr, not {', '.join(state) or 'nothing'}"
            )
        epoch = _whole("last_epoch", state["last_epoch"], least=0)
        self.optimizer.initial_lr = number("initial_lr", state["initial_lr"])
        self.last_epoch = epoch
        self._set_lr()

    def _set_lr(self) -> None:
        self.optimizer.lr = self.lr_at(self.last_epoch)
        self._last_lr = self.optimizer.lr


class StepLR(LRScheduler):
    """Multiply the learning rate by gamma every step_size epochs: lr · gamma^⌊epoch / step_size⌋.

    Source: PyTorch's `torch.optim.lr_scheduler.StepLR`.
    Raises ValueError for a step_size that is not a whole number ≥ 1 and a gamma that is not ≥ 0.

    >>> opt = optim.SGD([Tensor([1.0], requires_grad=True)], lr=0.5)
    >>> schedule = StepLR(opt, step_size=2, gamma=0.5)
    >>> [schedule.lr_at(epoch) for epoch in range(6)]
    [0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = _whole("step_size", step_size), number("gamma", gamma)
        super().__init__(optimizer)

    def lr_at(self, epoch: int) -> float:  # noqa: D102
        return self.base_lr * self.gamma ** (epoch // self.step_size)


class CosineAnnealingLR(LRScheduler):
    """Follow a cosine from lr to eta_min in T_max epochs: eta_min + (lr − eta_min) (1 + cos(π epoch / T_max)) / 2.

    After T_max epochs it goes up again, as PyTorch's does.

    Source: Loshchilov, Hutter (2017), SGDR: stochastic gradient descent with warm restarts, equation 5, without the
    restarts; PyTorch's `torch.optim.lr_scheduler.CosineAnnealingLR`.
    Raises ValueError for a T_max that is not a whole number ≥ 1 and an eta_min that is not ≥ 0.

    >>> opt = optim.SGD([Tensor([1.0], requires_grad=True)], lr=0.5)
    >>> schedule = CosineAnnealingLR(opt, T_max=4)
    >>> np.round([schedule.lr_at(epoch) for epoch in range(6)], 3)
    array([0.5  , 0.427, 0.25 , 0.073, 0.   , 0.073])
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max, self.eta_min = _whole("T_max", T_max), number("eta_min", eta_min)
        super().__init__(optimizer)

    def lr_at(self, epoch: int) -> float:  # noqa: D102
        return self.eta_min + (self.base_lr - self.eta_min) * (1 + math.cos(math.pi * epoch / self.T_max)) / 2


class LinearLR(LRScheduler):
    """Change the learning rate in total_iters equal steps from start_factor · lr to end_factor · lr, and stay there.

    The usual warm-up.  Source: Goyal et al. (2017), Accurate, large minibatch SGD, section 2.2; PyTorch's
    `torch.optim.lr_scheduler.LinearLR`.
    Raises ValueError for a start_factor outside of (0, 1], an end_factor outside of [0, 1] and a total_iters that is not
    a whole number ≥ 1.

    >>> opt = optim.SGD([Tensor([1.0], requires_grad=True)], lr=0.5)
    >>> schedule = LinearLR(opt, start_factor=0.5, total_iters=2)
    >>> [schedule.lr_at(epoch) for epoch in range(4)]
    [0.25, 0.375, 0.5, 0.5]
    """

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError(f"start_factor must be in (0, 1], not {start_factor!r}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"end_factor must be in [0, 1], not {end_factor!r}")
        self.start_factor, self.end_factor = float(start_factor), float(end_factor)
        self.total_iters = _whole("total_iters", total_iters)
        super().__init__(optimizer)

    def lr_at(self, epoch: int) -> float:  # noqa: D102
        done = min(epoch, self.total_iters) / self.total_iters
        return self.base_lr * (self.start_factor + (self.end_factor - self.start_factor) * done)


class SequentialLR(LRScheduler):
    """One schedule after another: the next one begins, at its epoch 0, at each of the milestones.

    Source: PyTorch's `torch.optim.lr_scheduler.SequentialLR`.
    Raises ValueError where there is no schedule, where one is of another optimiser, and where the milestones are not
    whole numbers in ascending order, one fewer than the schedules; TypeError for what is no schedule.

    >>> opt = optim.SGD([Tensor([1.0], requires_grad=True)], lr=0.5)
    >>> warmup = LinearLR(opt, start_factor=0.5, total_iters=2)
    >>> schedule = SequentialLR(opt, [warmup, CosineAnnealingLR(opt, T_max=4)], milestones=[2])
    >>> np.round([schedule.lr_at(epoch) for epoch in range(7)], 3)
    array([0.25 , 0.375, 0.5  , 0.427, 0.25 , 0.073, 0.   ])
    """

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]) -> None:
        self.schedulers = list(schedulers)
        self.milestones = [_whole("a milestone", milestone, least=0) for milestone in milestones]
        if not self.schedulers:
            raise ValueError("SequentialLR needs at least one schedule")
        for i, schedule in enumerate(self.schedulers):
            if not isinstance(schedule, LRScheduler):
                raise TypeError(f"schedule {i} is no schedule but {type(schedule).__name__}")
            if schedule.optimizer is not optimizer:
                raise ValueError(f"schedule {i}, {type(schedule).__name__}, is of another optimiser")
        if len(self.milestones) != len(self.schedulers) - 1:
            raise ValueError(
                f"{len(self.schedulers)} schedules need {len(self.schedulers) - 1} milestones, not {len(self.milestones)}"
            )
        if self.milestones != sorted(self.milestones):
            raise ValueError(f"the milestones must be in ascending order, not {self.milestones}")
        super().__init__(optimizer)

    def lr_at(self, epoch: int) -> float:  # noqa: D102
        i = bisect_right(self.milestones, epoch)
        return self.schedulers[i].lr_at(epoch - self.milestones[i - 1] if i else epoch)


def _whole(name: str, value: int, least: int = 1) -> int:
    try:
        whole = index(value)
    except TypeError:
        whole = least - 1
    if whole < least:
        raise ValueError(f"{name} must be a whole number ≥ {least}, not {value!r}")
    return whole
