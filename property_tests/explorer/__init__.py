"""Every order of steps of several readers and writers, and every fault, on the real code: see ``__main__``."""
