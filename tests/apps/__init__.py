"""Celery apps that the tests run workers of."""
