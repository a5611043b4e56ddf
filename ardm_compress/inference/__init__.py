"""The same network in exact integers. Imports torch."""
