"""Image files of every kind <-> samples, and what codes them where the model of photographs does not."""
