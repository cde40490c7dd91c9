// The box as one sees it: its light, its figures, and why it does not give more.
import { html } from "./dom.js";
import { costText, date, duration, dutyText, kilo, pilotVolts, short, statusClass, statusText } from "./words.js";

/** Say what is offered, and what it is limited by. */
export function reason({ limit_a: limit, why, bounds }, now) {
  const bound = bounds.find((each) => each.reason === why);
  if (bound) return html`Limited to <strong>${short(limit)} A</strong> by ${why}${until(bound.until, now)}`;
  if (limit > 0) return html`<strong>${short(limit)} A offered</strong>, ${why}`;
  return html`<strong>Nothing offered</strong>, ${why || "no transaction"}`;
}

const until = (iso, now) => (iso === null ? "" : ` until ${date(iso) === date(now) ? "" : `${date(iso)} `}${iso.slice(11, 16)}`);

export function Box({ connector, now }) {
  const { charge, meter, pilot, status } = connector;
  const power = meter.power_w ?? 0;
  return html`
    <div class=${`box ${statusClass(status)}`}>
      <div class="box-status">
        <span class=${`light light-${connector.light ?? "off"}`} role="img" aria-label=${`Light: ${connector.light ?? "none"}`}></span>
        <h2 id="status">${statusText(status)}</h2>
        ${connector.is_reserved && status !== "Reserved" && html`<span class="chip">Reserved</span>`}
        ${!connector.is_operative && status !== "Unavailable" && html`<span class="chip chip-warn">Out of service next</span>`}
      </div>
      <p class="power"><span class="figure" id="power">${kilo(power, power >= 100_000 ? 0 : 2)}</span> <span class="unit">kW</span></p>
      <p class="reason" id="reason">${reason(connector, now)}</p>
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

function cable({ has_cable: hasCable, cable_rating_a: rating, is_locked: isLocked }) {
  if (!hasCable) return "none";
  const lock = isLocked === null ? "" : isLocked ? ", locked" : ", not locked";
  return `${rating === null ? "in place" : `${short(rating)} A`}${lock}`;
}

const phases = ({ current_a: amps, voltage_v: volts }) =>
  amps.map((each, at) => html`<span class="phase">L${at + 1} ${each.toFixed(1)} A${volts[at] === undefined ? "" : ` · ${volts[at].toFixed(0)} V`}</span>`);
