"""One module a board: which panels stand where."""
