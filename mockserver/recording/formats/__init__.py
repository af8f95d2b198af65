"""Other formats of exchanges, in and out."""
