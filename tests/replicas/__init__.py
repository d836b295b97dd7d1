"""Fills from replicas: what lags, what does not, and what cannot be told."""
