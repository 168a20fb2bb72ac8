"""Equations: a model's forward and backward pass, written as a person writes them."""
