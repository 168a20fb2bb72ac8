"""Notes: handwritten equations are read, and held against the gradients of the network that they define."""
