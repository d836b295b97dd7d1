"""What the demo shows, a module each."""
