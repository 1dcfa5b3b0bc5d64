"""What every request passes: middleware, idempotency, paging, problem details."""
