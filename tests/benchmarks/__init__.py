"""How fast genscache is, beside others and beside one ``GET`` of a pickle: ``python -m tests.benchmarks``."""
