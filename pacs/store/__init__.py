"""How it is kept: one write path, the blobs and what removes them."""
