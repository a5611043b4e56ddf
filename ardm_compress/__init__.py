"""Lossless compression with an autoregressive diffusion model: ``ardm_compress.api`` codes arrays."""
