"""``python -m genscache demo``: the main job on a small news site, with numbers measured in that run."""
