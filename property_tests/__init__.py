"""Properties that hold for any input and any order of events, and the proof that these tests can fail."""
