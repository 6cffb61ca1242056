"""The way to the API."""
