"""The schema of `control.sqlite3`, step by step. Run by `store.migrate`; each step is one transaction."""
