"""What only an encoder does: choose what a file says of a tile besides its samples."""
