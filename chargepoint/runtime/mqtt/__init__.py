"""A charger on an MQTT broker: its state, a few orders, and what Home Assistant needs to find it."""
