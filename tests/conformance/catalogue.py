"""The certification cases for charge points, as data.

Source: Open Charge Alliance, "Test case document OCTT for OCPP 1.6", FINAL 2024-04, part "System Under Test (SUT) Charge
Point"; ids without the ending ``_CS``. Cases of older lists that are of use are added and say so.
"""

from __future__ import annotations

SECTIONS: dict[str, dict[str, str]] = {
    "Cold Boot Charge Point": {
        "TC_001": "Cold Boot Charge Point",
        "TC_002": "Cold Boot Charge Point - Pending",
    },
    "Start Charging Session": {
        "TC_003": "Regular Charging Session - Plugin First",
        "TC_004_1": "Regular Charging Session - Identification First",
        "TC_004_2": "Regular Charging Session - Identification First - ConnectionTimeOut",
    },
    "Stop Charging Session": {
        "TC_068": "Stop transaction - IdTag in StopTransaction matches IdTag in StartTransaction",
        "TC_069": "Stop transaction - ParentIdTag in StopTransaction matches ParentIdTag in StartTransaction",
        "TC_005_1": (
            "EV Side Disconnected - StopTransactionOnEVSideDisconnect = true - UnlockConnectorOnEVSideDisconnect = true"
        ),
        "TC_005_2": (
            "EV Side Disconnected - StopTransactionOnEVSideDisconnect = true "
            "- UnlockConnectorOnEVSideDisconnect = false"
        ),
        "TC_005_3": (
            "EV Side Disconnected - StopTransactionOnEVSideDisconnect = false "
            "- UnlockConnectorOnEVSideDisconnect = false"
        ),
        "TC_006": "One reader for multiple connectors (older lists only)",
    },
    "Cache": {
        "TC_007": "Regular Start Charging Session - Cached Id",
        "TC_061": "Clear Authorization Data in Authorization Cache",
    },
    "Core Profile - Remote Actions Happy Flow": {
        "TC_010": "Remote Start Charging Session - Cable Plugged in First",
        "TC_011_1": "Remote Start Charging Session - Remote Start First",
        "TC_011_2": "Remote Start Charging Session - Time Out",
        "TC_012": "Remote Stop Charging Session",
    },
    "Core Profile - Resetting Happy Flow": {
        "TC_013": "Hard Reset Without transaction",
        "TC_014": "Soft Reset Without Transaction",
        "TC_015": "Hard Reset With Transaction",
        "TC_016": "Soft Reset With Transaction",
    },
    "Core Profile - Unlocking Happy Flow": {
        "TC_017_1": "Unlock connector - no charging session running (Not fixed cable)",
        "TC_017_2": "Unlock connector - no charging session running (Fixed cable)",
        "TC_018_1": "Unlock Connector - With Charging Session (Not fixed cable)",
        "TC_018_2": "Unlock Connector - With Charging Session (Fixed cable)",
    },
    "Core Profile - Configuration Happy Flow": {
        "TC_019": "Retrieve configuration",
        "TC_021": "Change/set Configuration",
    },
    "Meter values": {
        "TC_070": "Sampled Meter Values",
        "TC_071": "Clock-aligned Meter Values",
    },
    "Core Profile - Basic Actions Non-Happy Flow": {
        "TC_023": "Start Charging Session - Authorize invalid",
        "TC_024": "Start Charging Session - Lock Failure",
    },
    "Core Profile - Remote Actions Non-Happy Flow": {
        "TC_026": "Remote Start Charging Session - Rejected",
        "TC_027": "Remote start transaction - connector id shall not be 0",
        "TC_028": "Remote Stop Transaction - Rejected",
    },
    "Core Profile - Unlocking Non-Happy Flow": {
        "TC_030": "Unlock Connector - Unlock Failure",
        "TC_031": "Unlock Connector - Unknown Connector",
    },
    "Core Profile - Power Failure Non-Happy Flow": {
        "TC_032_1": "Power failure boot charging point - configured to stop transaction(s) before going down",
        "TC_032_2": "Power failure boot charging point - configured to stop transaction(s)",
        "TC_034": "Power Failure with Unavailable Status",
        "TC_035": "Idle Charge Point (older lists only)",
    },
    "Core Profile - Offline Behavior Non-Happy Flow": {
        "TC_036": "Connection Loss During Transaction",
        "TC_037_1": "Offline Start Transaction - Valid IdTag",
        "TC_037_2": "Offline Start Transaction - Invalid IdTag - StopTransactionOnInvalidId = false",
        "TC_037_3": "Offline Start Transaction - Invalid IdTag - StopTransactionOnInvalidId = true",
        "TC_038": "Offline Stop Transaction",
        "TC_039": "Offline Transaction",
    },
    "Core Profile - Configuration Keys Non-Happy Flow": {
        "TC_040_1": "Configuration key - NotSupported",
        "TC_040_2": "Configuration key - Invalid value",
    },
    "Core Profile - Fault Behavior Non-Happy Flow": {
        "TC_041": "Fault Behavior",
    },
    "Local Authorization List": {
        "TC_042_1": "Get Local List Version (not supported)",
        "TC_042_2": "Get Local List Version (empty)",
        "TC_043": "Send Local Authorization List",
        "TC_043_1": "Send Local Authorization List - NotSupported",
        "TC_043_2": "Send Local Authorization List - VersionMismatch",
        "TC_043_3": "Send Local Authorization List - Failed",
        "TC_008": "Regular Start Charging Session - Id in Local Authorization List",
    },
    "FirmwareManagement": {
        "TC_044_1": "Firmware Update - Download and Install",
        "TC_044_2": "Firmware Update - Download Failed",
        "TC_044_3": "Firmware Update - Installation Failed",
    },
    "Diagnostics": {
        "TC_045_1": "Get Diagnostics",
        "TC_045_2": "Get Diagnostics - Upload Failed",
    },
    "Reservation": {
        "TC_046_1": "Reservation of a Connector - Local start transaction",
        "TC_046_2": "Reservation of a Connector - Remote start transaction",
        "TC_047": "Reservation of a Connector - Expire",
        "TC_048_1": "Reservation of a Connector - Faulted",
        "TC_048_2": "Reservation of a Connector - Occupied",
        "TC_048_3": "Reservation of a Connector - Unavailable",
        "TC_048_4": "Reservation of a Connector - Rejected",
        "TC_049": "Reservation of a Charge Point - Transaction",
        "TC_050_1": "Reservation of a Charge Point - Faulted",
        "TC_050_2": "Reservation of a Charge Point - Occupied",
        "TC_050_3": "Reservation of a Charge Point - Unavailable",
        "TC_050_4": "Reservation of a Charge Point - Rejected",
        "TC_051": "Cancel Reservation",
        "TC_052": "Cancel Reservation - Rejected",
        "TC_053": "Use a reserved Connector with parentIdTag",
    },
    "RemoteTrigger": {
        "TC_054": "Trigger Message",
        "TC_055": "Trigger Message - Rejected",
    },
    "SmartCharging": {
        "TC_056": "Central Smart Charging - TxDefaultProfile",
        "TC_057": "Central Smart Charging - TxProfile",
        "TC_058_1": "Central Smart Charging - No ongoing transaction",
        "TC_058_2": "Central Smart Charging - Wrong transactionId",
        "TC_082": "Central Smart Charging - TxDefaultProfile - with ongoing transaction",
        "TC_066": "Get Composite Schedule",
        "TC_067": "Clear Charging Profile",
        "TC_072": "Stacking Charging Profiles",
        "TC_059": "Remote Start Transaction with Charging Profile",
        "TC_060": "Remote Start Transaction with Charging Profile - Rejected",
    },
    "DataTransfer": {
        "TC_062": "Data Transfer to a Charge Point",
        "TC_064": "Data Transfer to a Central System (older lists only)",
    },
    "Security": {
        "TC_073": "Update Charge Point Password for HTTP Basic Authentication",
        "TC_074": "Update Charge Point Certificate by request of Central System",
        "TC_075_1": "Install a certificate on the Charge Point - ManufacturerRootCertificate",
        "TC_075_2": "Install a certificate on the Charge Point - CentralSystemRootCertificate",
        "TC_076": "Delete a specific certificate from the Charge Point",
        "TC_077": "Invalid ChargePointCertificate Security Event",
        "TC_078": "Invalid CentralSystemCertificate Security Event",
        "TC_079": "Get Security Log",
        "TC_080": "Secure Firmware Update",
        "TC_081": "Secure Firmware Update - Invalid Signature",
        "TC_083": "Upgrade security profile",
        "TC_084": "Downgrade security profile - Rejected",
        "TC_085": "Basic Authentication - Valid username/password combination",
        "TC_086": "TLS - server-side certificate - Valid certificate",
        "TC_087": "TLS - Client-side certificate - valid certificate",
    },
}
"""Titles by id, by section, as the document orders them."""

TITLES = {case: title for cases in SECTIONS.values() for case, title in cases.items()}

NOT_APPLICABLE: dict[str, str] = {
    "TC_032_1": (
        "its prerequisite is a back-up power source, and no board that is supported has one; TC_032_2, without one, holds"
    ),
}
"""Why a case is not for this charge point: what its own prerequisites, or OCPP 1.6, say."""

LATER = "security, which comes with a later issue"
LEFT_OUT = dict.fromkeys(SECTIONS["Security"], LATER)
"""Cases of what is not built yet."""
