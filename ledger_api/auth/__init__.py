"""Who is asking: bearer tokens and scopes."""
