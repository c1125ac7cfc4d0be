"""The history's schema, step by step. Run by `store.migrate`; each step is one transaction."""
