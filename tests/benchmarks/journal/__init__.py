"""The models that benchmarks read and write."""
