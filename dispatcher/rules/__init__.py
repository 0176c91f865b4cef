"""The rules of a campaign: pure decisions, without a clock, without I/O, without settings."""
