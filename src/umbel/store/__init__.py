"""History that survives: the contract (`base`), the search grammar, and one module per engine."""
