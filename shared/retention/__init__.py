"""How long data is kept: erasure of personal data, and tombstones."""
