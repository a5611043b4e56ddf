"""The coding loop, the tiles that it codes, and the stacks that it codes them by."""
