"""Reads meters, PLCs, brokers and files, and brings what they said into the journal; never writes to a device."""
