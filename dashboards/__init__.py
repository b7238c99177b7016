"""Grafana boards and data sources as code, generated from the plant description."""
