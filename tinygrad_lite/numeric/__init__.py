"""Numeric: gradients held against numerical derivatives that come with an error bound, and the laws that ops obey.

From the bottom up: `arguments` are the float arrays of a call, of PyTorch and JAX too; `along` evaluates once, or along a
line; `slope` differentiates with an error bound; `claim` is a function with the gradient it claims, `verdict` holds the two
against each other, `gradcheck` reports; `laws` does the same for ops.
"""
