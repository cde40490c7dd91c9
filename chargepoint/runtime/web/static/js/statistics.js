// Sessions that have ended, added up and by day.
import { html } from "./dom.js";
import { useAsked, Waiting } from "./asked.js";
import { hours, kilo, moment } from "./words.js";

export function Statistics({ state, connector, questions }) {
  const isCharging = connector.charge === null;
  const [answer, problem] = useAsked(state.id, "statistics", [isCharging]);
  if (answer === null) return html`<${Waiting} problem=${problem} />`;
  const { total = {}, days = [] } = answer;
  return html`
    <dl class="sums">
      <div><dt>Charges</dt><dd>${total.sessions ?? "–"}</dd></div>
      <div><dt>Energy</dt><dd>${total.energy_wh === undefined ? "–" : `${kilo(total.energy_wh, 1)} kWh`}</dd></div>
      <div><dt>In use</dt><dd>${total.in_use_s === undefined ? "–" : hours(total.in_use_s)}</dd></div>
      <div><dt>Charging</dt><dd>${total.charging_s === undefined ? "–" : hours(total.charging_s)}</dd></div>
    </dl>
    ${days.length > 0 && html`<${Days} days=${days} />`}
    ${questions.has("sessions") && html`<${Sessions} charger=${state.id} isCharging=${isCharging} />`}`;
}

function Days({ days }) {
  const most = Math.max(...days.map((day) => day.energy_wh), 1);
  return html`<h3 class="part">By day, UTC</h3>
    <table class="table stacked days"><caption class="visually-hidden">Energy by day</caption>
      <thead><tr><th scope="col">Day</th><th scope="col">Charges</th><th scope="col" colspan="2">Energy</th><th scope="col">In use</th></tr></thead>
      <tbody>${days.toReversed().map((day) => html`<tr key=${day.day}><th scope="row" class="whole">${day.day}</th><td data-label="Charges">${day.sessions}</td><td data-label="Energy" class="whole">${kilo(day.energy_wh, 1)} kWh</td>
        <td class="bar" aria-hidden="true"><i style=${{ width: `${(day.energy_wh / most) * 100}%` }}></i></td><td data-label="In use" class="whole">${hours(day.in_use_s)}</td></tr>`)}</tbody>
    </table>`;
}

function Sessions({ charger, isCharging }) {
  const [answer, problem] = useAsked(charger, "sessions", [isCharging]);
  if (answer === null) return html`<${Waiting} problem=${problem} />`;
  const sessions = answer.sessions ?? [];
  if (sessions.length === 0) return html`<p class="none">No charge has ended yet.</p>`;
  return html`<h3 class="part">The last charges</h3>
    <table class="table stacked"><caption class="visually-hidden">The last charges, newest first</caption>
      <thead><tr><th scope="col">Ended</th><th scope="col">Connector</th><th scope="col">Card</th><th scope="col">Energy</th><th scope="col">In use</th><th scope="col">Reason</th></tr></thead>
      <tbody>${sessions.toReversed().map((each) => html`<tr key=${each.number}><th scope="row">${moment(each.ended)}</th><td data-label="Connector">${each.connector}</td><td data-label="Card" class="code">${each.tag}</td>
        <td data-label="Energy">${kilo(each.energy_wh, 2)} kWh</td><td data-label="In use">${hours(each.in_use_s)}</td><td data-label="Reason">${each.reason}</td></tr>`)}</tbody>
    </table>`;
}
