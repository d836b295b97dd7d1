"""Random querysets and random writes, as text, and what is asked of their answers (``machine_orm.py``)."""
