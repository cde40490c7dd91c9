// The wallbox's own small screen: state, power, energy, and a code to start a charge by app.
import { html, render, useEffect, useRef, useState } from "./dom.js";
import { chargers, follow } from "./api.js";
import { cardWords, clock, costText, duration, kilo, powerOf, short, statusClass } from "./words.js";

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

/** What to do where one cannot charge. */
const ADVICE = {
  Reserved: "Only for who reserved it.",
  Unavailable: "Please use another charging point.",
  Faulted: "Please use another charging point.",
};
const CARD_MS = 6000;
const ASKING_MS = 30_000;
const AGAIN_MS = 5000;

const wanted = new URLSearchParams(location.search);

/** The charger that is to be shown, once it is known to be there; else what is wrong. */
function useWanted() {
  const [found, setFound] = useState({ charger: null, problem: "" });
  useEffect(() => {
    let timer = 0;
    const look = () =>
      chargers().then(
        (all) => {
          const named = wanted.get("charger");
          const charger = named === null ? all[0]?.id : all.find((each) => each.id === named)?.id;
          setFound(charger === undefined
            ? { charger: null, problem: named === null ? "There is no charger." : `There is no charger ${named}.` }
            : { charger, problem: "" });
        },
        (error) => {
          setFound({ charger: null, problem: `No data: ${error.message}` });
          timer = setTimeout(look, AGAIN_MS);
        },
      );
    look();
    return () => clearTimeout(timer);
  }, []);
  return found;
}

/** What became of the card that was held to the reader, for a few seconds. */
function useCard() {
  const [card, setCard] = useState("");
  const timer = useRef(0);
  const take = (entries) => {
    const verdict = entries.findLast((entry) => entry.kind === "TagPresented")?.verdict;
    if (verdict === undefined) return;
    setCard(cardWords(verdict));
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setCard(""), verdict.startsWith("asks") ? ASKING_MS : CARD_MS);
  };
  return [card, take];
}

function Display() {
  const { charger, problem } = useWanted();
  const [state, setState] = useState(null);
  const [live, setLive] = useState(true);
  const [card, takeCard] = useCard();
  useEffect(() => (charger === null ? undefined : follow(charger, { state: setState, live: setLive, journal: takeCard }, false)), [charger]);
  if (problem) return html`<p class="alone" role="alert">${problem}</p>`;
  if (state === null) return html`<p class="alone" role="status">${live ? "…" : "No data from the charger."}</p>`;
  const number = Number(wanted.get("connector"));
  const shown = state.connectors.filter((each) => !number || each.connector === number);
  if (shown.length === 0) return html`<p class="alone" role="alert">There is no connector ${wanted.get("connector")} at ${state.id}.</p>`;
  return html`<main class=${`screens of-${Math.min(shown.length, 2)}`}>
    ${shown.map((each) => html`<${Screen} key=${each.connector} state=${state} connector=${each} isOne=${state.connectors.length === 1} live=${live} />`)}
    <div class=${`card-told${card.startsWith("Card refused") ? " is-bad" : ""}`} role="alert">${card && html`<p>${card}</p>`}</div></main>`;
}

/** What stands in the middle: a title, what to do, and whether there is more to see. For drivers, in their words. */
function said(state, { charge, status, is_car_connected: isPlugged }, live) {
  if (!live) return { title: "No data", advice: `This screen does not hear the charger since ${clock(state.time).slice(0, 5)}.`, look: "unavailable" };
  if (state.phase !== "running") return { title: "Out of service", advice: "Please wait a moment.", look: "unavailable" };
  const title = TEXTS[status] ?? status;
  if (status === "Faulted") return { title, advice: isPlugged ? "Please unplug." : ADVICE.Faulted, look: status };
  if (charge !== null) return { title, charge, look: status };
  if (INVITING.includes(status)) return { title, advice: isPlugged ? "The car is connected." : "Connect your car.", isInviting: true, look: status };
  return { title, advice: ADVICE[status] ?? "", look: status };
}

function Screen({ state, connector, isOne, live }) {
  const { title, advice, charge, isInviting, look } = said(state, connector, live);
  const cost = live ? costText(connector.cost) : "";
  return html`<section class=${`screen ${statusClass(look)}`} aria-label=${`Connector ${connector.connector}`}><div class="glass">
    <header><span>${state.id}${isOne ? "" : ` · ${connector.connector}`}</span><span>${live ? state.time.slice(11, 16) : ""}</span></header>
    <div class="middle"><div role="status"><h1>${title}</h1></div>
    ${charge && html`<p class="power"><span id="power">${kilo(powerOf(state, connector), 1)}</span><small>kW</small></p>
          <dl><div><dt>Energy</dt><dd id="energy">${kilo(charge.energy_wh, 2)} kWh</dd></div><div><dt>Time</dt><dd>${duration(charge.duration_s)}</dd></div></dl>`}
    ${advice && html`<p class="invite">${advice}</p>`}
    ${cost && html`<p class="hint" id="cost">${cost}</p>`}
    ${isInviting && html`<${Code} charger=${state.id} connector=${connector.connector} />`}
    ${charge && connector.limit_a > 0 && html`<p class="hint">up to ${short(connector.limit_a)} A</p>`}
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
