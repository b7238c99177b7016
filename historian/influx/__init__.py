"""How stored rows reach a time-series server, and how that is set up."""
