"""The protocol as a Spin model, which shares nothing with the code: see ``__main__``."""
