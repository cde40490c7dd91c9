"""GetConfiguration and ChangeConfiguration (OCPP 1.6 5.3, 5.8; chapter 9)."""

from __future__ import annotations

from ocpp.v16 import call, call_result
from ocpp.v16.datatypes import KeyValue
from ocpp.v16.enums import ConfigurationStatus

from chargepoint.model.errors import ErrorCode, PeerError
from chargepoint.model.feature import FeatureProfile, handles
from chargepoint.model.keys import Access, integer

GET_CONFIGURATION_MAX_KEYS = integer(
    "GetConfigurationMaxKeys", 200, minimum=1, access=Access.READ_ONLY, source="9.1.9", effect="keys in one request"
)


class Configuration(FeatureProfile):
    """Tells and changes configuration keys; every accepted change is persistent and in force at once."""

    __slots__ = ()

    name = "Core"
    keys = (GET_CONFIGURATION_MAX_KEYS,)

    @handles(call.GetConfiguration)
    def _get(self, request: call.GetConfiguration, now_s: float) -> call_result.GetConfiguration:
        settings = self.host.settings
        wanted = request.key or []
        most = self.host.setting(GET_CONFIGURATION_MAX_KEYS)
        if len(wanted) > most:
            raise PeerError(ErrorCode.OCCURENCE_CONSTRAINT_VIOLATION, f"at most {most} keys, got {len(wanted)}")
        found, unknown = [], []
        if not wanted:
            found = settings.entries()
        for name in dict.fromkeys(wanted):
            entry = settings.entry(name)
            if entry is None:
                unknown.append(name)
            elif entry.key not in (each.key for each in found):
                found.append(entry)
        return call_result.GetConfiguration(
            configuration_key=[KeyValue(key=e.key, readonly=e.readonly, value=e.value) for e in found],
            unknown_key=unknown or None,
        )

    @handles(call.ChangeConfiguration)
    def _change(self, request: call.ChangeConfiguration, now_s: float) -> call_result.ChangeConfiguration:
        status, reason = self.host.change_setting(request.key, request.value, now_s)
        if status != ConfigurationStatus.accepted:
            self.host.log.warning("ChangeConfiguration %s: %s, %s", request.key, status.value, reason)
        return call_result.ChangeConfiguration(status=status)
