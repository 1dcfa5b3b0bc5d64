"""The JSON of the API, a module a topic."""
