"""The science: pure functions on NumPy arrays, without I/O, each with its unit and its source."""
