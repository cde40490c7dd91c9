"""A model of the electricity around one charge point: pilot circuit, contactor, cable, meter and car."""
