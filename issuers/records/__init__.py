"""Kept records: their keys and seals, their SQL, their certifications, taking points back."""
