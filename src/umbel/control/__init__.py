"""Asking and telling workers: inspection, commands with their audit, calls of tasks and their results."""
