// Many chargers at a glance: a square each, in the colour of its status, then totals and a table.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./dom.js";
import { follow } from "./api.js";
import { kilo, loudest, statusClass, statusText } from "./words.js";

const ROWS = 50;
const OFFLINE = "Not connected";

const isThere = (charger) => charger.is_connected && charger.phase === "running";
const powerOf = (charger) => (charger.phase === "running" ? charger.power_w : 0);

const statusOf = (charger) => (isThere(charger) ? loudest(charger.statuses) : OFFLINE);

/** Newest line of every charger, in the order in which they came. */
function useFleet() {
  const [fleet, setFleet] = useState({ live: false, chargers: new Map() });
  useEffect(
    () =>
      follow(null, {
        live: (live) => setFleet((last) => ({ ...last, live })),
        fleet: ({ chargers }) =>
          setFleet((last) => {
            const next = new Map(last.chargers);
            for (const each of chargers) next.set(each.id, each);
            return { ...last, chargers: next };
          }),
      }),
    [],
  );
  return fleet;
}

function totals(chargers) {
  const counts = new Map();
  let power = 0;
  let energy = 0;
  for (const each of chargers) {
    const status = statusOf(each);
    counts.set(status, (counts.get(status) ?? 0) + 1);
    power += powerOf(each);
    energy += each.energy_wh;
  }
  return { counts: [...counts].sort(([, a], [, b]) => b - a), power, energy };
}

export function Fleet({ open }) {
  const { live, chargers } = useFleet();
  const [wanted, setWanted] = useState("");
  const [status, setStatus] = useState("");
  const [page, setPage] = useState(0);
  const all = useMemo(() => [...chargers.values()], [chargers]);
  const sums = useMemo(() => totals(all), [all]);
  const shown = all.filter((each) => (!status || statusOf(each) === status) && each.id.toLowerCase().includes(wanted.toLowerCase()));
  const pages = Math.max(1, Math.ceil(shown.length / ROWS));
  const at = Math.min(page, pages - 1);
  const choose = (next) => {
    setStatus(next === status ? "" : next);
    setPage(0);
  };
  if (all.length === 0) return html`<p class="alone">${live ? "No charger here yet." : "Looking for chargers …"}</p>`;
  return html`
    <p class="stale-note" role="status">${live ? "" : "The page is offline: what follows is what it heard last."}</p>
    <section class=${`card fleet-head${live ? "" : " is-stale"}`} aria-label="Totals">
      <dl class="sums">
        <div><dt>Chargers</dt><dd id="fleet-count">${all.length.toLocaleString("en")}</dd></div>
        <div><dt>Power</dt><dd>${kilo(sums.power, 1)} kW</dd></div>
        <div><dt>Energy of the charges that run</dt><dd>${kilo(sums.energy, 1)} kWh</dd></div>
      </dl>
      <div class="legend" role="group" aria-label="Show only">
        ${sums.counts.map(([name, count]) => html`<button type="button" key=${name} class=${`chip ${classOf(name)}`} aria-pressed=${status === name ? "true" : "false"}
          onClick=${() => choose(name)}><i class="dot" aria-hidden="true"></i>${statusText(name)} <b>${count.toLocaleString("en")}</b></button>`)}
      </div>
      <${Grid} chargers=${shown} open=${open} summary=${sums.counts.map(([name, count]) => `${count} ${statusText(name)}`).join(", ")} />
    </section>
    <section class=${`card${live ? "" : " is-stale"}`} aria-label="Table of chargers">
      <div class="tools"><label class="field grow"><span>Filter</span><input type="search" spellcheck=${false} value=${wanted} placeholder="identity …"
        onInput=${(event) => (setWanted(event.target.value), setPage(0))} /></label></div>
      <table class="table fleet"><caption class="visually-hidden">Chargers</caption>
        <thead><tr><th scope="col">Charger</th><th scope="col">Status</th><th scope="col" class="number">Power</th><th scope="col" class="number">This charge</th></tr></thead>
        <tbody>${shown.slice(at * ROWS, (at + 1) * ROWS).map((each) => html`<tr key=${each.id}><th scope="row"><a href=${`#/${encodeURIComponent(each.id)}`}>${each.id}</a></th>
          <td class=${classOf(statusOf(each))}><span class="dotted"><i class="dot" aria-hidden="true"></i><span>${isThere(each) ? each.statuses.map(statusText).join(", ") : OFFLINE}</span></span></td>
          <td class="number">${kilo(powerOf(each), 2)} kW</td><td class="number">${kilo(each.energy_wh, 2)} kWh</td></tr>`)}</tbody>
      </table>
      <div class="pager"><button type="button" disabled=${at === 0} onClick=${() => setPage(at - 1)}>Previous</button>
        <span>${shown.length ? at * ROWS + 1 : 0} to ${Math.min(shown.length, (at + 1) * ROWS)} of ${shown.length.toLocaleString("en")}</span>
        <button type="button" disabled=${at >= pages - 1} onClick=${() => setPage(at + 1)}>Next</button></div>
    </section>`;
}

const classOf = (status) => (status === OFFLINE ? "is-unknown" : statusClass(status));

/** The squares, on a canvas: thousands of them are one element. The table below is the same for those who don't see it. */
function Grid({ chargers, open, summary }) {
  const canvas = useRef(null);
  const [width, setWidth] = useState(0);
  const [pointed, setPointed] = useState("");
  const [isDark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  const size = chargers.length <= 200 ? 26 : chargers.length <= 1000 ? 16 : 10;
  const columns = Math.max(1, Math.floor(width / size));
  const rows = Math.ceil(chargers.length / columns);

  useLayoutEffect(() => {
    const place = canvas.current.parentElement;
    const watcher = new ResizeObserver(() => setWidth(place.clientWidth));
    watcher.observe(place);
    const shade = matchMedia("(prefers-color-scheme: dark)");
    const turned = () => setDark(shade.matches);
    shade.addEventListener("change", turned);
    return () => (watcher.disconnect(), shade.removeEventListener("change", turned));
  }, []);

  useLayoutEffect(() => {
    const ratio = devicePixelRatio || 1;
    const element = canvas.current;
    element.width = columns * size * ratio;
    element.height = rows * size * ratio;
    element.style.width = `${columns * size}px`;
    element.style.height = `${rows * size}px`;
    const pen = element.getContext("2d");
    pen.scale(ratio, ratio);
    const look = getComputedStyle(document.documentElement);
    const colours = new Map();
    chargers.forEach((each, at) => {
      const name = isThere(each) ? `--${loudest(each.statuses).toLowerCase()}` : "--line";
      if (!colours.has(name)) colours.set(name, look.getPropertyValue(name) || look.getPropertyValue("--unknown"));
      pen.fillStyle = colours.get(name);
      pen.fillRect((at % columns) * size + 1, Math.floor(at / columns) * size + 1, size - 2, size - 2);
    });
  }, [chargers, columns, rows, size, isDark]);

  const under = (event) => chargers[Math.floor(event.offsetY / size) * columns + Math.floor(event.offsetX / size)];
  const point = (event) => {
    const each = under(event);
    setPointed(each ? `${each.id} · ${statusText(statusOf(each))} · ${kilo(powerOf(each), 2)} kW` : "");
  };
  return html`<div class="grid"><canvas ref=${canvas} role="img" aria-label=${`A square for each charger: ${summary}. The table below tells the same.`}
    onClick=${(event) => under(event) && open(under(event).id)} onMouseMove=${point} onMouseLeave=${() => setPointed("")}></canvas></div>
    <p class="hint grid-hint" aria-hidden="true">${pointed || "Point at a square to see which charger it is; click to open it."}</p>`;
}
