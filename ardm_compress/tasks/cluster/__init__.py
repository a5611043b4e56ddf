"""Work on a Dask cluster that is there. Imports distributed when it is used."""
