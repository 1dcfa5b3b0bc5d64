"""Refused rows on their way to a clerk and back: a file of the same form, with a column that says why."""
