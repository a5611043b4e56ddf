"""The float network, its inputs and its training. Imports torch."""
