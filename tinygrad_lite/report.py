"""GradientMismatch: what a check of gradients raises."""


class GradientMismatch(AssertionError):  # noqa: N818 -- it says what is wrong
    """A gradient is not what it should be; the message says which one, and how far off it is."""
