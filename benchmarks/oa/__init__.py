"""A small OA-ARDM of 32x32 pictures, as in Hoogeboom et al. 2022: what ``benchmarks/oa_ardm.py`` is made of."""
