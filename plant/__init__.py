"""The vocabulary of a plant: what a point, a process unit, a target or a shift is, and how it is read."""
