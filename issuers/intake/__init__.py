"""Deliveries on their way in: chunks of rows become records, refusals, reviews and grants, each in one commit."""
