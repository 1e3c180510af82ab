"""Telemetry derived from spans. Knows nothing of the service."""
