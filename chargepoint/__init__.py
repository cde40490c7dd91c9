"""An AC wallbox charge point: firmware and simulator in one (IEC 61851-1 mode 3, OCPP 1.6J)."""

__version__ = "0.1.0"
