"""The agency's side: what is shown to an issuer's signer, and a signer that derives a batch before it signs it."""
