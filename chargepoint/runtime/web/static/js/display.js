// The wallbox's own small screen: state, power, energy, and a code to start a charge by app.
import { html, render, useEffect, useState } from "./dom.js";
import { chargers, follow } from "./api.js";
import { costText, duration, kilo, short, statusClass } from "./words.js";

const INVITING = ["Available", "Preparing"];
const TEXTS = {
  Available: "Ready",
  Preparing: "Hold your card to the reader",
  Charging: "Charging",
  SuspendedEV: "The car pauses",
  SuspendedEVSE: "The charger pauses",
  Finishing: "Finished: you can unplug",
  Reserved: "Reserved",
  Unavailable: "Out of service",
  Faulted: "Out of order",
};

const wanted = new URLSearchParams(location.search);

function Display() {
  const [charger, setCharger] = useState(wanted.get("charger"));
  const [state, setState] = useState(null);
  const [problem, setProblem] = useState("");
  const [live, setLive] = useState(true);
  useEffect(() => {
    if (charger !== null) return;
    chargers().then(
      (found) => (found.length ? setCharger(found[0].id) : setProblem("There is no charger.")),
      (error) => setProblem(error.message),
    );
  }, []);
  useEffect(() => (charger === null ? undefined : follow(charger, { state: setState, live: setLive })), [charger]);
  if (problem) return html`<p class="alone" role="alert">${problem}</p>`;
  if (state === null) return html`<p class="alone">…</p>`;
  const number = Number(wanted.get("connector"));
  const shown = state.connectors.filter((each) => !number || each.connector === number);
  return html`<main class=${`screens of-${Math.min(shown.length, 2)}`}>
    ${shown.map((each) => html`<${Screen} key=${each.connector} state=${state} connector=${each} isOne=${state.connectors.length === 1} live=${live} />`)}</main>`;
}

function Screen({ state, connector, isOne, live }) {
  const { charge, meter, status } = connector;
  const isInviting = charge === null && INVITING.includes(status);
  return html`<section class=${`screen ${statusClass(status)}`} aria-label=${`Connector ${connector.connector}`}><div class="glass">
    <header><span>${state.id}${isOne ? "" : ` · ${connector.connector}`}</span><span>${live ? "" : "no data · "}${state.time.slice(11, 16)}</span></header>
    <div class="middle"><div role="status"><h1>${TEXTS[status] ?? status}</h1></div>
    ${charge
      ? html`<p class="power"><span id="power">${kilo(meter.power_w ?? 0, 1)}</span><small>kW</small></p>
          <dl><div><dt>Energy</dt><dd id="energy">${kilo(charge.energy_wh, 2)} kWh</dd></div><div><dt>Time</dt><dd>${duration(charge.duration_s)}</dd></div></dl>`
      : html`<p class="invite">${isInviting ? (connector.is_car_connected ? "The car is connected." : "Connect your car.") : connector.info}</p>`}
    ${costText(connector.cost) && html`<p class="hint" id="cost">${costText(connector.cost)}</p>`}
    ${isInviting && html`<${Code} charger=${state.id} connector=${connector.connector} />`}
    ${!isInviting && charge && connector.limit_a > 0 && html`<p class="hint">up to ${short(connector.limit_a)} A · ${connector.why}</p>`}
  </div></div></section>`;
}

function Code({ charger, connector }) {
  const [picture, setPicture] = useState(null);
  const address = `/display/qr.svg?charger=${encodeURIComponent(charger)}&connector=${connector}`;
  useEffect(() => {
    // No content: nobody said where a charge can be started.
    fetch(address).then((answer) => setPicture(answer.status === 200 ? address : null), () => setPicture(null));
  }, [address]);
  if (picture === null) return null;
  return html`<figure class="qr"><img src=${picture} alt="QR code: start a charge here with your phone" width="220" height="220" /><figcaption>Or scan to start with your phone</figcaption></figure>`;
}

render(html`<${Display} />`, document.getElementById("app"));
