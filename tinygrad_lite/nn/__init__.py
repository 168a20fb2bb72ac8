"""Modules: a model is a class whose attributes are its parameters.  Imports `tensor`."""

from .module import Module, Parameter

__all__ = ["Module", "Parameter"]
