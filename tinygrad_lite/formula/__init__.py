"""Formula: the one language of formulas, which `derive` writes, `notes` reads, and `verify` mends.

From the bottom up: `expression` is a formula as a tree, and how it is written; `factor` is a number times powers of sizes;
`simplify` makes terms as short as a person does; `rule` is the derivative of an op as a formula; `value` evaluates on
arrays; `translate` is a formula as Python, and back; `code` are the trees of Python's own syntax: their parts, their text
and their values.
"""
