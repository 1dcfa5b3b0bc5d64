"""From record to point: adapters, rulebooks, screens and the pipeline that turns source records into signed batches."""
