"""What is particular to sound: a spectrum in the file, the best linear prediction from it, and the rest as features."""
