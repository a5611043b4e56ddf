"""``bench``: our sizes and speeds beside those of other coders. Imports the API and everything below it."""
