"""The ARDM core: orders, schedules, upscaling. NumPy only."""
