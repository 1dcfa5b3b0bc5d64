"""What a resident does with what is their own, for the API's routes and the pages alike: one set of rules.

Each function that writes asks for the resident's scope itself.
"""
