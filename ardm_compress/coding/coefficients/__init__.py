"""Quantised DCT coefficients of JPEG files: what the network sees of them, and the tile that codes them."""
