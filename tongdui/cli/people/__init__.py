"""Commands about people: logins with a password, and tokens."""
