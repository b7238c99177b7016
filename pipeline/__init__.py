"""From readings to results: one pure step, its state and checkpoints."""
