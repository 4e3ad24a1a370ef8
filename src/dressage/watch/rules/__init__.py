"""Rules: pure functions from telemetry to findings. Thresholds stand beside the rule, with their reason."""
