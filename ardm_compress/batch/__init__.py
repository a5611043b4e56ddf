"""Files -> files: what the command line does, without it; also in other processes and on other machines."""
