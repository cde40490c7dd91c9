// The charging profiles as installed, drawn over the next 24 hours: one lane each, the limit as height.
import { html, useLayoutEffect, useRef, useState } from "./dom.js";
import { useAsked, Waiting } from "./asked.js";
import { moment, short } from "./words.js";

const DAY_S = 86_400;
const LANE = 54;
const TOP = 22;
const WIDTH = 1000;
const DIGIT_PX = 7.4; // of a label, at most on average
const INDENT_PX = 4;

const seconds = (iso) => (iso === null ? null : Date.parse(iso) / 1000);

/** When the schedule begins anew within a day from `now`; without a start it begins with the transaction. */
function begins(profile, now, started) {
  const start = seconds(profile.start) ?? started ?? now;
  if (profile.kind !== "Recurring" || !profile.recurrence_s) return [start];
  const first = start + Math.floor((now - start) / profile.recurrence_s) * profile.recurrence_s;
  return Array.from({ length: Math.ceil(DAY_S / profile.recurrence_s) + 1 }, (_none, turn) => first + turn * profile.recurrence_s).filter((each) => each >= start);
}

/** The stretches of a profile within a day from `now`: from, to (in s from now), limit, phases. */
export function stretches(profile, now, started) {
  const least = Math.max(0, (seconds(profile.valid_from) ?? now) - now);
  const most = Math.min(DAY_S, (seconds(profile.valid_to) ?? now + DAY_S) - now);
  return begins(profile, now, started).flatMap((begin, turn, all) => {
    const over = Math.min(all[turn + 1] ?? Infinity, begin + (profile.duration_s ?? Infinity));
    return profile.periods.map((period, at) => ({
      from: Math.max(least, begin + period.start_s - now),
      to: Math.min(most, (at + 1 < profile.periods.length ? Math.min(over, begin + profile.periods[at + 1].start_s) : over) - now),
      limit: period.limit,
      phases: period.phases,
    })).filter((each) => each.to > each.from);
  });
}

const nameOf = (profile) => `${profile.purpose} ${profile.id}`;
const whereOf = (profile) => (profile.connector === 0 ? "all connectors" : `connector ${profile.connector}`);

export function Profiles({ state, connector }) {
  // What bounds the current changes with the profiles: then they are asked for again.
  const [answer, problem, again] = useAsked(state.id, "charging-profiles", [connector.limit_a, connector.why, connector.bounds.length]);
  if (answer === null) return html`<${Waiting} problem=${problem} />`;
  const rank = { ChargePointMaxProfile: 0, TxDefaultProfile: 1, TxProfile: 2 };
  const mine = answer.profiles
    .filter((each) => each.connector === 0 || each.connector === connector.connector)
    .sort((a, b) => rank[b.purpose] - rank[a.purpose] || b.stack_level - a.stack_level);
  const tools = html`<div class="tools"><p class="grow hint">The highest lane that has something to say wins within its purpose; the least of all purposes is offered.</p>
    <button type="button" onClick=${again}>Look again</button></div>`;
  if (mine.length === 0) return html`<p class="none">No charging profile is installed.</p>`;
  const now = seconds(state.time);
  const started = connector.charge ? seconds(connector.charge.started) : null;
  return html`${tools}<${Lanes} profiles=${mine} now=${now} started=${started} />
    <table class="table stacked"><caption class="visually-hidden">Charging profiles</caption>
      <thead><tr><th scope="col">Profile</th><th scope="col">Level</th><th scope="col">Kind</th><th scope="col">Valid</th><th scope="col">Periods</th></tr></thead>
      <tbody>${mine.map((each) => html`<tr key=${each.id}><th scope="row">${nameOf(each)}<br /><span class="quiet">${whereOf(each)}</span></th><td data-label="Level">${each.stack_level}</td><td data-label="Kind">${each.kind}</td>
        <td data-label="Valid">${each.valid_from === null && each.valid_to === null ? "always" : `${each.valid_from ? `from ${moment(each.valid_from)}` : ""} ${each.valid_to ? `until ${moment(each.valid_to)}` : ""}`}</td>
        <td data-label="Periods">${each.periods.map((period) => html`<span class="period">${clockOf(period.start_s)} ${limitText(period, each.unit)}</span>`)}</td></tr>`)}</tbody>
    </table>`;
}

const clockOf = (offset) => `+${Math.floor(offset / 3600)}:${String(Math.floor((offset / 60) % 60)).padStart(2, "0")}`;
const limitText = ({ limit, phases }, unit) => `${short(limit)} ${unit}${phases ? ` on ${phases}` : ""}`;

function Lanes({ profiles, now, started }) {
  const x = (offset) => (offset / DAY_S) * WIDTH;
  const height = TOP + profiles.length * LANE;
  const picture = useRef(null);
  const [wide, setWide] = useState(0); // px
  useLayoutEffect(() => {
    const watcher = new ResizeObserver(() => setWide(picture.current.clientWidth));
    watcher.observe(picture.current);
    return () => watcher.disconnect();
  }, []);
  const firstHour = 3600 - (now % 3600);
  const hours = Array.from({ length: 24 }, (_none, at) => firstHour + at * 3600).filter((offset) => Math.round((now + offset) / 3600) % 3 === 0 && offset * wide > 50 * DAY_S && offset < 0.97 * DAY_S);
  const hasRoom = (profile, { from, to, limit }) => ((to - from) / DAY_S) * wide >= `${short(limit)} ${profile.unit}`.length * DIGIT_PX + 2 * INDENT_PX;
  return html`<div class="lanes">
    <div class="lane-names" aria-hidden="true">${profiles.map((each) => html`<p><strong>${nameOf(each)}</strong><span>level ${each.stack_level} · ${whereOf(each)}</span></p>`)}</div>
    <svg ref=${picture} viewBox=${`0 0 ${WIDTH} ${height}`} preserveAspectRatio="none" role="img" aria-label="Limits over the next 24 hours; the table below tells the same" height=${height}>
      ${hours.map((offset) => html`<line class="hour" x1=${x(offset)} x2=${x(offset)} y1=${TOP} y2=${height} />`)}
      ${profiles.map((profile, lane) => {
        const most = Math.max(...profile.periods.map((period) => period.limit), 1);
        const floor = TOP + (lane + 1) * LANE - 6;
        return html`<line class="floor" x1="0" x2=${WIDTH} y1=${floor} y2=${floor} />
          ${stretches(profile, now, started).map(({ from, to, limit }) => {
            const tall = Math.max(2, (limit / most) * (LANE - 14));
            return html`<rect class="limit" x=${x(from)} y=${floor - tall} width=${x(to - from)} height=${tall}><title>${short(limit)} ${profile.unit}</title></rect>`;
          })}`;
      })}
      <line class="now" x1="0" x2="0" y1=${TOP - 4} y2=${height} />
    </svg>
    <div class="lane-texts" aria-hidden="true">
      <span class="hour-text now-text">now</span>
      ${hours.map((offset) => html`<span class="hour-text" style=${{ left: `${x(offset) / 10}%` }}>${String(Math.round((now + offset) / 3600) % 24).padStart(2, "0")}:00</span>`)}
      ${profiles.map((profile, lane) => stretches(profile, now, started).filter((each) => hasRoom(profile, each)).map(({ from, limit }) => html`<span class="limit-text"
        style=${{ left: `calc(${x(from) / 10}% + ${INDENT_PX}px)`, top: `${TOP + (lane + 1) * LANE - 28}px` }}>${short(limit)} ${profile.unit}</span>`))}
    </div>
  </div>`;
}
