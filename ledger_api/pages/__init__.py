"""Pages for people: forms and links that work without JavaScript, over the same services as the API.

``shell`` is what all pages share; each other folder is a kind of person, with its templates beside its routes.
"""
