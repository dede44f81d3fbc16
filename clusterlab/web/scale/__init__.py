"""Several processes on several machines: who has which lab, and how everything that is for a lab gets there."""
