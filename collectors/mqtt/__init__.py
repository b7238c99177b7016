"""MQTT: which topic feeds which point, what a payload says, and the session that acknowledges only what is on disk."""
