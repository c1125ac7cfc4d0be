"""Asking and telling workers: inspection now, commands later."""
