"""`python -m tinygrad_lite` is the command line."""

from .cli import main

main(prog_name="tinygrad-lite")
