"""What was received, kept on disk in one order until it has been processed."""
