"""PyTorch on one thread: on arrays this small its threads only wait for each other, and for the other test process."""

from importlib.util import find_spec

if find_spec("torch"):
    import torch

    torch.set_num_threads(1)
