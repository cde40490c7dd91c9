"""What the owner of a charge point chooses where the standard leaves a choice and has no configuration key for it."""

from __future__ import annotations

from dataclasses import dataclass

from ocpp.v16.enums import DataTransferStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorAnswer:
    """The answer to a DataTransfer of a vendor that no feature knows (OCPP 1.6 4.3)."""

    vendor: str
    message: str | None = None
    """messageId; None: any that has no answer of its own, and none."""
    status: DataTransferStatus = DataTransferStatus.accepted
    data: str | None = None
    is_echo: bool = False
    """Whether the data of the request are the data of the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The choices of one charge point; thousands may share one object."""

    boot_on_reconnect: bool = False
    """Send BootNotification on each new socket, and nothing before its answer. OCPP-J 5.4 advises against it; some central
    systems wait for it."""
    vendor_answers: tuple[VendorAnswer, ...] = ()
