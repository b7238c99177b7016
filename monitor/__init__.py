"""The program: command line, wiring, supervision of its processes."""
