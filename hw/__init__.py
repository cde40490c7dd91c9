"""Electricity: the ports of a charger's hardware, and swappable drivers behind them. Knows nothing of OCPP."""
