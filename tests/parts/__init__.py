"""Results that are stored in parts."""
