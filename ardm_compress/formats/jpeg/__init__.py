"""JPEG files <-> quantised coefficients and whatever else it takes to write the same bytes."""
