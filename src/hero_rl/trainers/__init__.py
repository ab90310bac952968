"""Thin adapters that hand a rule's advantages to the trainers people already use; no maths here."""

__all__: list[str] = []
