"""The ASGI application: Flower's endpoints, the v1 API, the page and the live stream."""
