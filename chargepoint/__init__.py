"""An AC wallbox charge point: firmware and simulator in one (IEC 61851-1 mode 3, OCPP 1.6J)."""

__version__ = "0.1.0"
RELEASE_DATE = "2026-01-01"
"""The date of this version in CHANGELOG.md; before the first release, the first day of its year. A real clock that shows an
earlier date was never set."""
