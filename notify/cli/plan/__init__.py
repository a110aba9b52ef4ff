"""`notify plan`: make, list, show, start and stop bulk plans. One file a subject."""
