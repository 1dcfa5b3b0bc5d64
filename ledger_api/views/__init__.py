"""From what services return to what the API shows."""
