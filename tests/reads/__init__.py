"""The read path: what a cached function returns, stores, depends on and refuses."""
