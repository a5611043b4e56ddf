"""The network in exact integers: the same on every machine. NumPy and Numba."""
