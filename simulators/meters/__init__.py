"""Register maps of real meters, as data, each from its maker's manual."""
