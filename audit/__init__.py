"""What the audit promised and what became of it."""
