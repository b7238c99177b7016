"""The simulated electroplating shop: a physical model, its meters and gateways, in lock step or on real sockets."""
