"""HJ 212-2017: frames, packets and data flags of on-line monitoring stations, and the server to which they report."""
