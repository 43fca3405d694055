"""STOW-RS (PS3.18 10.5): a request's body taken apart as it arrives, its instances stored, and what is answered."""
