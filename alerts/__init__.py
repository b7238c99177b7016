"""Alarms: their life cycle, who is told, in which words and by which way."""
