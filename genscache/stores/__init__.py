"""Where generations and entries live. ``base`` is the contract; one module a technology."""
