"""What was found out: tables that anybody may read, ledgers of a person's acts, and the one read interface."""
