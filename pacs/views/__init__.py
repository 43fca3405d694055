"""A case's de-identified copy: its instances, their proofs, what is masked in them and what comes back."""
