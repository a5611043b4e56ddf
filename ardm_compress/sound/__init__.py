"""Sound files <-> integer samples and everything else in them. Imports errors, data, container, NumPy; soundfile."""
