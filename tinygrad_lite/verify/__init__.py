"""Verification: numerical derivatives, and the laws that every op obeys."""

from .laws import Case, check_op

__all__ = ["Case", "check_op"]
