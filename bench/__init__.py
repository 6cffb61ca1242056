"""Measures batchtui beside what a person would use instead: ``python -m bench``."""
