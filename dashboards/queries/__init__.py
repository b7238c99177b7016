"""Every InfluxQL text of the boards and rules."""
