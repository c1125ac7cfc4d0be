"""Umbel and Flower 2.2.0 side by side on one Redis and two workers: every read endpoint and parameter.

`cases` says what is asked, `allowed.toml` which differences are meant, `cluster` starts it all, `traffic`
makes the tasks, `compare` judges, `report` writes the table. Run by `test_compat` or `python -m tests.compat`.
"""
