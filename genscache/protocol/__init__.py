"""The protocol, written once and without I/O: generators that yield store operations and receive their answers."""
