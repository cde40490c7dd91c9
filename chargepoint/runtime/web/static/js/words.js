// How numbers, times and names are written.

const pad = (number) => String(Math.floor(number)).padStart(2, "0");

export const kilo = (value, digits) => (value / 1000).toFixed(digits);

/** `16` or `6.5`: no zeros that say nothing. */
export const short = (value, digits = 1) => String(Number(Number(value).toFixed(digits)));

export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const hours = Math.floor(whole / 3600);
  return `${hours ? `${hours}:` : ""}${hours ? pad((whole / 60) % 60) : Math.floor(whole / 60)}:${pad(whole % 60)}`;
}

/** Hours and minutes, for long times. */
export const hours = (seconds) => `${Math.floor(seconds / 3600)} h ${pad((seconds / 60) % 60)} min`;

/** The clock part of an ISO instant, UTC. */
export const clock = (iso) => iso.slice(11, 19);
export const date = (iso) => iso.slice(0, 10);
export const moment = (iso) => `${date(iso)} ${clock(iso)}`;

/** SuspendedEV → Suspended by the car, as people call it. */
const STATUSES = {
  SuspendedEV: "Paused by the car",
  SuspendedEVSE: "Paused by the charger",
};
export const statusText = (status) => STATUSES[status] ?? status;

export const statusClass = (status) => `is-${(status ?? "unknown").toLowerCase()}`;

/** Of several connectors the one that matters most to somebody who looks at many. */
const URGENCY = ["Faulted", "Charging", "SuspendedEVSE", "SuspendedEV", "Finishing", "Preparing", "Reserved", "Unavailable"];
export const loudest = (statuses) => URGENCY.find((status) => statuses.includes(status)) ?? statuses[0] ?? "Unknown";

const CAUSES = {
  cp_short: "Pilot shorted to earth",
  cp_undefined: "Pilot at 7.5 V, no state",
  diode_short: "Diode shorted in the car",
  protective_earth: "Protective earth lost",
  residual_current_test: "Residual current test fails",
  controller_silent: "Controller silent",
  meter_silent: "Meter silent",
  meter_frozen: "Meter does not count",
  meter_replaced: "Meter replaced, begins at 0",
  meter_rollover: "Meter rolls over to 0",
  meter_late: "Meter answers 2 s late",
  meter_lossy: "Meter loses 1 % of its answers",
  meter_glitch: "Meter answers nonsense now and then",
  meter_reversed: "Meter counts backwards",
  reader_silent: "Card reader silent",
  internal: "Internal error",
  welded_contactor: "Contactor welded",
  contactor_stuck: "Contactor stuck open",
  lock_jammed: "Cable lock jammed",
  half_plugged: "Plug only half in",
  holds_c: "Keeps asking (never leaves C)",
  no_diode: "Has no diode",
  state_d: "Asks for ventilation (state D)",
  never_c: "Never asks for energy",
  overdraw: "Draws more than offered",
  c_when_full: "Asks although full",
  simplified: "Simplified pilot, no PWM",
  late_c: "Asks late",
  slow_follow: "Follows the limit slowly",
  f_locks_up: "Locks up after state F",
  needs_30s_cp: "Needs a long pilot break to wake",
};

/** Troubles that stay until the car is unplugged, whatever became of their cause. */
const UNTIL_UNPLUGGED = new Set(["ground_fault", "over_current", "lock_failed", "contactor_stuck", "diode_missing", "ventilation"]);

/** Only the plug keeps this fault: nothing is broken any more. */
export const isClearedByUnplugging = (fault, connector) =>
  fault.connector === connector.connector && connector.is_car_connected && connector.broken.length === 0 && UNTIL_UNPLUGGED.has(fault.trouble);

/** A cause as people say it; one that is not known yet still reads. */
export const causeText = (cause) => {
  const text = CAUSES[cause] ?? cause.replaceAll("_", " ");
  return text[0].toUpperCase() + text.slice(1);
};

/** What a card brought about, for who looks after the charger; `isBad`: it was refused. */
export function cardText({ tag, verdict }) {
  const isBad = verdict.startsWith("refused");
  return { text: isBad ? `Card ${tag} ${verdict}` : `Card ${tag}: ${verdict}`, isBad };
}

const REFUSALS = {
  Invalid: "not valid here",
  Blocked: "it is blocked",
  Expired: "it has expired",
  ConcurrentTx: "it charges somewhere else",
  "no connector is free": "no connector is free",
  "reserved for somebody else": "reserved for somebody else",
};
const CARD_WORDS = [
  ["asks", "One moment please"],
  ["stops", "The charge ends"],
  ["takes back", "Taken back"],
  ["timed out", "Too late: hold your card again"],
  ["frees", "Your cable is free"],
];

/** The same for who holds the card. */
export function cardWords(verdict) {
  if (verdict.startsWith("refused")) {
    return `Card refused: ${REFUSALS[verdict.replace(/^refused:? */, "")] ?? "please try again"}`;
  }
  return CARD_WORDS.find(([beginning]) => verdict.startsWith(beginning))?.[1] ?? "Card accepted";
}

const VOLTS = { A: "+12 V", B: "+9 V", C: "+6 V", D: "+3 V", E: "0 V", F: "−12 V" };
export const pilotVolts = (state) => VOLTS[state[0]] ?? "";
export const dutyText = (percent) => (percent === 0 || percent === 100 ? "steady" : `${percent.toFixed(1)} %`);

/** What flows now: nothing does while the box is down, whatever its meter told last. */
export const powerOf = (state, connector) => (state.phase === "running" ? (connector.meter.power_w ?? 0) : 0);

/** `StatusNotification` in parts between which a line may break. */
export const humps = (name) => name.split(/(?<=[a-z])(?=[A-Z])/);

/** Pretty JSON, or the text itself where it is none. */
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** What a charge costs, as the central system told it last; "" when nothing was told. */
export function costText(cost) {
  if (cost === null) return "";
  if (cost.state === "Follows") return "told once online again";
  if (cost.amount !== null) return cost.state === "Finished" ? `${cost.amount} in all` : `${cost.amount} so far`;
  return cost.text;
}
