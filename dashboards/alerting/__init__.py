"""Alert rules, notification policies and contact points, generated from the shift calendar."""
