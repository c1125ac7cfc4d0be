"""Queue figures and consumers, one module per broker."""
