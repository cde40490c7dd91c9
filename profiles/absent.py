"""What this charge point lacks: its answers to calls of absent feature profiles, and configuration keys that are absent.

A call without an entry in `ANSWERS` gets NotSupported if it is known, else NotImplemented (OCPP-J 1.6 table 7). A key in
`KEYS` has a meaning in a public standard that this program does not implement yet: it is not a custom key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ocpp.v16 import call_result
from ocpp.v16.enums import ReservationStatus, UpdateStatus

ANSWERS: dict[str, Callable[[], Any]] = {
    # 6.28: "-1 if the local list is not supported"
    "GetLocalListVersion": lambda: call_result.GetLocalListVersion(list_version=-1),
    # 7.47: NotSupported is a status of its own
    "SendLocalList": lambda: call_result.SendLocalList(status=UpdateStatus.not_supported),
    # 5.13 and test cases 048_4 and 050_4 of the certification catalogue
    "ReserveNow": lambda: call_result.ReserveNow(status=ReservationStatus.rejected),
}

_SECURITY = "belongs to the security extension of OCPP 1.6, which this charger lacks"
_SIGNED = "belongs to Signed Meter Values in OCPP 1.0, which this charger lacks"
_PLUG_AND_CHARGE = "belongs to Plug & Charge with OCPP 1.6, which this charger lacks"

KEYS: dict[str, str] = {
    # OCPP 1.6 9.1.30, without a meaning by erratum 3.81.
    "SupportedFeatureProfilesMaxLength": "has no meaning: SupportedFeatureProfiles cannot be changed (OCPP 1.6 9.1.30)",
    # Improved security for OCPP 1.6-J, edition 3, chapter 7
    "AdditionalRootCertificateCheck": _SECURITY,
    "AuthorizationKey": f"{_SECURITY}; the password of HTTP Basic is central_system.password_hex",
    "CertificateSignedMaxChain": _SECURITY,
    "CertificateSignedMaxChainSize": _SECURITY,
    "CertificateSignedMaxSize": _SECURITY,
    "CertificateStoreMaxLength": _SECURITY,
    "CpoName": _SECURITY,
    "SecurityProfile": f"{_SECURITY}; the URL and central_system.ca_file decide on TLS",
    # Signed Meter Values in OCPP 1.0, chapter 3.3; OCMF
    "AlignedDataSignReadings": _SIGNED,
    "AlignedDataSignUpdatedReadings": _SIGNED,
    "MeterPublicKey[]": _SIGNED,
    "PublicKeyWithSignedMeterValue": _SIGNED,
    "SampledDataSignReadings": _SIGNED,
    "SampledDataSignStartedReadings": _SIGNED,
    "SampledDataSignUpdatedReadings": _SIGNED,
    "StartTxnSampledData": _SIGNED,
    "StopTransactionSignatureFormat": _SIGNED,
    # Using ISO 15118 Plug & Charge with OCPP 1.6
    "CentralContractValidationAllowed": _PLUG_AND_CHARGE,
    "CertSigningRepeatTimes": _PLUG_AND_CHARGE,
    "CertSigningWaitMinimum": _PLUG_AND_CHARGE,
    "ContractValidationOffline": _PLUG_AND_CHARGE,
    "ISO15118PnCEnabled": _PLUG_AND_CHARGE,
}
"""Why each key is absent; a name that ends in [] is followed by the number of a connector."""
