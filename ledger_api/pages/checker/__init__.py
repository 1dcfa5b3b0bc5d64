"""The receipt checker: a module that runs in the reader's own browser, also from a saved page without a network.

``source/`` is the verifier and the page around it; `make setup` bundles it to ``assets/checker.js``.
"""
