"""SQL: what a chain should not hold, and what a user should not wait for. Rows stay in here and in the repositories."""
