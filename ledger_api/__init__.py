"""The HTTP API: routes, schemas, views, authentication. `tongdui` wires it and serves it."""
