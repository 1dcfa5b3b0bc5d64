"""What people are shown: lists, explanations, the state of the pipeline, funding that is waited for."""
