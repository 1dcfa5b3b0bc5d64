"""What an agency does at the command line: records in, batches, reviews, claims, webhooks."""
