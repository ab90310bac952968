"""HERO."""
