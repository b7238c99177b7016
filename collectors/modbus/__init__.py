"""Modbus TCP: settings, request planning, decoding and connection, each in a file of its own; reading only."""
