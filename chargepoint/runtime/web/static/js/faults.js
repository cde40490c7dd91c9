// A wall of switches: what can break at this connector, and what is broken.
import { html } from "./dom.js";
import { causeText } from "./words.js";

/** What is the car's fault; everything else is the box's. */
const CAR = new Set(["holds_c", "no_diode", "state_d", "never_c", "overdraw", "c_when_full", "simplified", "late_c", "slow_follow", "f_locks_up", "needs_30s_cp"]);

export function Faults({ connector, live, act }) {
  const box = connector.can_break.filter((cause) => !CAR.has(cause));
  const car = connector.can_break.filter((cause) => CAR.has(cause));
  const wall = (causes) => html`<div class="wall">${causes.map((cause) => html`<${Switch} key=${cause} cause=${cause} connector=${connector} isDisabled=${!live} act=${act} />`)}</div>`;
  return html`
    ${connector.needs_repair && html`<p class="hint">A fault is latched until the outlet is repaired.
      <button type="button" disabled=${!live} onClick=${() => act("confirm-repair", { connector: connector.connector })}>Confirm repair</button></p>`}
    <h3 class="part">What breaks in the box and around it</h3>${wall(box)}
    ${car.length > 0 && html`<h3 class="part">What is odd about the car</h3>${wall(car)}`}`;
}

function Switch({ cause, connector, isDisabled, act }) {
  const isOn = connector.broken.includes(cause);
  return html`<button type="button" class="switch" role="switch" aria-checked=${isOn ? "true" : "false"} disabled=${isDisabled}
    onClick=${() => act(isOn ? "clear-fault" : "fault", { what: cause, connector: connector.connector })}>
    <span>${causeText(cause)}</span><span class="track" aria-hidden="true"><span class="knob"></span></span></button>`;
}
