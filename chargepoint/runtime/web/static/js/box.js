// The box as one sees it: its light, its figures, and why it does not give more.
import { html } from "./dom.js";
import { causeText, clock, costText, date, duration, dutyText, isClearedByUnplugging, kilo, pilotVolts, powerOf, short, statusClass, statusText } from "./words.js";

/** Say what is offered, and what it is limited by. */
export function reason({ limit_a: limit, why, bounds }, now) {
  const bound = bounds.find((each) => each.reason === why);
  if (bound) return html`Limited to <strong>${short(limit)} A</strong> by ${why}${until(bound.until, now)}`;
  if (limit > 0) return html`<strong>${short(limit)} A offered</strong>, ${why}`;
  return html`<strong>Nothing offered</strong>, ${why || "no transaction"}`;
}

const until = (iso, now) => (iso === null ? "" : ` until ${date(iso) === date(now) ? "" : `${date(iso)} `}${iso.slice(11, 16)}`);

/** A box that is down offers nothing and drives nothing, whatever it did last. */
const dark = (connector) => ({
  ...connector, status: "Unavailable", light: "off", limit_a: 0, why: "the box is down", bounds: [],
  pilot: { ...connector.pilot, state: connector.is_car_connected ? "B1" : "A", duty_percent: 100, is_contactor_closed: false },
  meter: { ...connector.meter, current_a: [], voltage_v: [] },
});

export function Box({ state, connector: told, live }) {
  const isDown = state.phase !== "running";
  const connector = isDown ? dark(told) : told;
  const { charge, meter, pilot, status } = connector;
  const power = powerOf(state, connector);
  const troubles = isDown ? [] : state.faults.filter((fault) => fault.connector === 0 || fault.connector === connector.connector);
  return html`
    <div class=${`box ${statusClass(status)}`}>
      <div class="box-status">
        <span class=${`light light-${connector.light ?? "off"}`} role="img" aria-label=${`Light: ${connector.light ?? "none"}`}></span>
        <h2 id="status">${statusText(status)}</h2>
        ${connector.is_reserved && status !== "Reserved" && html`<span class="chip">Reserved</span>`}
        ${isDown && html`<span class="chip chip-warn">Box is down</span>`}
        ${!live && html`<span class="chip chip-bad" id="as-of">as of ${clock(state.time)}</span>`}
        ${!connector.is_operative && status !== "Unavailable" && html`<span class="chip chip-warn">Out of service next</span>`}
      </div>
      <p class="power"><span class="figure" id="power">${kilo(power, power >= 100_000 ? 0 : 2)}</span> <span class="unit">kW</span></p>
      <div class="reasons">
        <${Troubles} faults=${troubles} connector=${connector} />
        ${(troubles.length === 0 || status !== "Faulted") && html`<p class="reason" id="reason">${reason(connector, state.time)}</p>`}
      </div>
      <dl class="session">
        <div><dt>This charge</dt><dd id="energy">${charge ? `${kilo(charge.energy_wh, 3)} kWh` : "–"}</dd></div>
        <div><dt>Time</dt><dd>${charge ? duration(charge.duration_s) : "–"}</dd></div>
        <div><dt>Card</dt><dd class="code">${charge ? charge.id_tag : "–"}</dd></div>
        <div><dt>Transaction</dt><dd>${charge ? (charge.transaction_id ?? "not numbered yet") : "–"}</dd></div>
        ${costText(connector.cost) && html`<div class="wide"><dt>Cost</dt><dd id="cost">${costText(connector.cost)}</dd></div>`}
      </dl>
      <dl class="facts">
        <div><dt>Pilot</dt><dd><b class="letter" id="pilot">${pilot.state}</b> ${pilotVolts(pilot.state)}, ${dutyText(pilot.duty_percent)}</dd></div>
        <div><dt>Contactor</dt><dd>${pilot.is_contactor_closed ? "closed" : "open"}</dd></div>
        <div><dt>Cable</dt><dd>${cable(connector)}</dd></div>
        <div><dt>Meter</dt><dd>${kilo(meter.register_wh, 3)} kWh</dd></div>
        ${meter.current_a.length > 0 && html`<div class="wide"><dt>Phases</dt><dd>${phases(meter)}</dd></div>`}
      </dl>
    </div>`;
}

/** What is wrong stands where else stands why no more is offered: it is why. */
function Troubles({ faults, connector }) {
  return html`<div role="status" class="troubles">
    ${faults.map((fault) => html`<p class="trouble" key=${`${fault.connector} ${fault.trouble}`}><strong>${causeText(fault.trouble)}</strong>
      <span>${[fault.error_code, !fault.info.includes(fault.trouble) && fault.info, isClearedByUnplugging(fault, connector) && "unplug to clear"].filter(Boolean).join(" · ")}</span></p>`)}
  </div>`;
}

function cable({ has_cable: hasCable, cable_rating_a: rating, is_locked: isLocked }) {
  if (!hasCable) return "none";
  const lock = isLocked === null ? "" : isLocked ? ", locked" : ", not locked";
  return `${rating === null ? "in place" : `${short(rating)} A`}${lock}`;
}

const phases = ({ current_a: amps, voltage_v: volts }) =>
  amps.map((each, at) => html`<span class="phase">L${at + 1} ${each.toFixed(1)} A${volts[at] === undefined ? "" : ` · ${volts[at].toFixed(0)} V`}</span>`);
