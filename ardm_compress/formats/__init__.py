"""Foreign files <-> what is coded of them: one module a kind, and a registry that all others ask."""
