"""A text as its bytes: mixed contexts, a network, and what adapts. No torch."""
