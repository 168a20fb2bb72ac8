"""Truth: what is true in one case, and when two values are the same.

From the bottom up: `cases` draws sizes and values, `strategies` does so for hypothesis; `equal` says when two values are the
same, and tells rounding from mistakes; `loss` has the values and gradients of all that a loss names, by autodiff.
"""
