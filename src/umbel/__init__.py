"""Umbel: the monitor and control room for Celery clusters."""

__version__ = "0.1.0"
