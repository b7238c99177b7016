"""Sparkplug B 3.0: payloads, values, and the sessions of edge nodes."""
