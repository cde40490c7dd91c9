"""Errors of the model: the central system's branch of the tree drawn in `hw.errors`.

    ChargePointError (hw.errors)
     └── PeerError            the central system sent something that cannot be served; carries the OCPP error code
          └── FrameError      ... and it cannot even be answered
"""

from __future__ import annotations

from enum import StrEnum

from hw.errors import ChargePointError


class ErrorCode(StrEnum):
    """CALLERROR codes of OCPP-J 1.6 table 7, spelt as the standard spells them, typos included (errata 5.1, 5.2)."""

    NOT_IMPLEMENTED = "NotImplemented"
    NOT_SUPPORTED = "NotSupported"
    INTERNAL_ERROR = "InternalError"
    PROTOCOL_ERROR = "ProtocolError"
    SECURITY_ERROR = "SecurityError"
    FORMATION_VIOLATION = "FormationViolation"
    PROPERTY_CONSTRAINT_VIOLATION = "PropertyConstraintViolation"
    OCCURENCE_CONSTRAINT_VIOLATION = "OccurenceConstraintViolation"
    TYPE_CONSTRAINT_VIOLATION = "TypeConstraintViolation"
    GENERIC_ERROR = "GenericError"


class PeerError(ChargePointError):
    """A message of the central system cannot be served. ``code`` is what a CALLERROR to it says."""

    def __init__(self, code: ErrorCode, description: str) -> None:
        super().__init__(code, description)
        self.code = code
        self.description = description

    def __str__(self) -> str:
        return f"{self.code}: {self.description}"


class FrameError(PeerError):
    """A frame that cannot be answered: no array, no message id. Logged and counted, nothing is sent (OCPP-J 4.1.3)."""

    def __init__(self, description: str) -> None:
        super().__init__(ErrorCode.FORMATION_VIOLATION, description)
