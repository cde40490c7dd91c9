// What can be done now, and only that. On real hardware nothing pretends electricity.
import { html, useState } from "./dom.js";

const TAG = "chargepoint-tag";
const FIRST_TAG = "04A1B2C3D4E5F6";
const CAR_STATES = [
  ["B", "Rest", "The car asks for nothing"],
  ["C", "Charge", "The car asks for energy"],
  ["D", "Charge, ventilated", "The car asks for energy and ventilation"],
];

export function Actions({ state, connector, act }) {
  const isRunning = state.phase === "running";
  if (!isRunning) return html`<p class="actions-none">The box is ${state.phase === "closing" ? "down for a moment" : state.phase}.</p>`;
  const at = { connector: connector.connector };
  const hasPlug = connector.is_car_connected || (connector.is_locked !== null && connector.has_cable);
  return html`<div class="actions">
    <div class="buttons">
      ${state.is_simulated && !connector.is_car_connected && html`<button type="button" class="main" onClick=${() => act("plug-in", at)}>Plug in</button>`}
      ${state.is_simulated && hasPlug && html`<button type="button" onClick=${() => act("unplug", at)}>Unplug</button>`}
      ${state.is_network_up
        ? html`<button type="button" class="lesser" onClick=${() => act("network", { state: "down" })}>Network down</button>`
        : html`<button type="button" class="main" onClick=${() => act("network", { state: "up" })}>Network up</button>`}
      ${state.is_simulated && html`<button type="button" class="lesser" onClick=${() => act("power-loss", {})}>Power loss</button>`}
    </div>
    ${connector.has_reader && html`<${Swipe} act=${act} at=${at} isMain=${hasPlug && connector.charge === null} />`}
    ${state.is_simulated && connector.is_car_connected && html`<${Car} connector=${connector} act=${act} />`}
  </div>`;
}

function Swipe({ act, at, isMain }) {
  const [tag, setTag] = useState(() => localStorage.getItem(TAG) ?? FIRST_TAG);
  const swipe = (event) => {
    event.preventDefault();
    if (!tag.trim()) return;
    localStorage.setItem(TAG, tag.trim());
    act("swipe", { tag: tag.trim(), ...at });
  };
  return html`<form class="swipe" onSubmit=${swipe}>
    <label class="field"><span>Card number</span><input value=${tag} maxlength="20" required autocomplete="off" spellcheck=${false} class="code"
      onInput=${(event) => setTag(event.target.value)} /></label>
    <button type="submit" class=${isMain ? "main" : ""}>Swipe card</button>
  </form>`;
}

/** The car's own wishes: its state, and the most that it takes. */
function Car({ connector, act }) {
  const [current, setCurrent] = useState("");
  const [phases, setPhases] = useState("");
  const letter = connector.pilot.state[0];
  const wish = (state) =>
    act("ev-state", {
      state,
      connector: connector.connector,
      ...(current && { current: Number(current) }),
      ...(phases && { phases: Number(phases) }),
    });
  return html`<fieldset class="car"><legend>The car</legend>
    <div class="segments">${CAR_STATES.map(([state, text, title]) => html`<button type="button" title=${title}
      aria-pressed=${letter === state ? "true" : "false"} onClick=${() => wish(state)}><b>${state}</b> ${text}</button>`)}</div>
    <details><summary>Bound what it takes</summary>
      <form class="bounds" onSubmit=${(event) => { event.preventDefault(); wish(letter === "D" || letter === "B" ? letter : "C"); }}>
        <label class="field"><span>At most, A</span><input type="number" min="0.1" max="100" step="any" value=${current}
          onInput=${(event) => setCurrent(event.target.value)} /></label>
        <label class="field"><span>Phases</span><select value=${phases} onChange=${(event) => setPhases(event.target.value)}>
          <option value="">all</option><option>1</option><option>2</option><option>3</option></select></label>
        <button type="submit">Apply</button>
      </form>
    </details>
  </fieldset>`;
}
