// Power over charger time, and the limit above it.
import { html, useEffect, useLayoutEffect, useRef } from "./dom.js";
import uPlot from "../vendor/uplot.js";
import { powers as powersOf, readings } from "./past.js";
import { duration, kilo, powerOf } from "./words.js";

const KEPT = 2400; // points: twenty minutes at two a second
const HEIGHT_PX = 280;
const READING_S = 10; // between two registers that power is made of; of less, whole Wh and late clocks say little
const SILENT_S = 5; // of wall time, after which nothing is known of what was between
const INSTANT_S = 0.001;
const IDLE_KW = 4; // of an axis where nothing is known that could flow
const LEAST_SPAN_S = 60; // of wall time, so that the first seconds are not stretched over the whole width

/** So many A as power, on every phase that has voltage; null: nobody knows. */
function kwOf(amps, connector) {
  const volts = connector.meter.voltage_v.reduce((sum, each) => sum + each, 0);
  return volts > 0 ? (amps * volts) / 1000 : null;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const axis = {
  stroke: () => colour("--quiet"),
  grid: { stroke: () => colour("--line"), width: 1 },
  ticks: { show: false },
  font: "12px system-ui, sans-serif",
};

/** `idle` tells the kW that an axis goes up to where nothing flows. */
function options(width, idle) {
  return {
    width,
    height: HEIGHT_PX,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    legend: { show: true, live: true },
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    scales: { x: { time: true }, y: { range: (_plot, _least, most) => [0, most > 0 ? Math.max(1, most * 1.12) : idle()] } },
    axes: [
      { ...axis, size: 32, values: [[3600, "{HH}:{mm}"], [60, "{HH}:{mm}"], [1, "{HH}:{mm}:{ss}"]].map(([step, form]) => [step, form, ...Array(6).fill(null), 1]) },
      { ...axis, size: 60, values: (_plot, ticks) => ticks.map((tick) => `${Number(tick.toFixed(2))} kW`) },
    ],
    series: [
      { label: "UTC", value: "{HH}:{mm}:{ss}" },
      {
        label: "Power",
        stroke: () => colour("--charging"),
        fill: () => `color-mix(in srgb, ${colour("--charging")} 14%, transparent)`,
        width: 2,
        points: { show: false },
        value: (_plot, value) => (value == null ? "–" : `${value.toFixed(2)} kW`),
      },
      {
        label: "Limit",
        stroke: () => colour("--warn"),
        width: 1.5,
        dash: [5, 4],
        paths: uPlot.paths.stepped({ align: 1 }),
        points: { show: false },
        value: (_plot, value) => (value == null ? "–" : `${value.toFixed(2)} kW`),
      },
    ],
  };
}

/** Add a point; what was the same before and after says nothing and is left out. Where nothing was heard, `speed` given,
 * for a while, there is a gap. */
function added(data, at, kw, limit, speed) {
  const [times, powers, limits] = data;
  const last = times.length - 1;
  if (last >= 0 && at <= times[last]) return at < times[last] - 1 ? [[at], [kw], [limit]] : data;
  if (last >= 0 && at - times[last] > SILENT_S * speed) return [[...times, times[last] + INSTANT_S, at], [...powers, null, kw], [...limits, null, limit]];
  const isFlat = last >= 1 && [powers[last], powers[last - 1]].every((each) => each === kw) && [limits[last], limits[last - 1]].every((each) => each === limit);
  const keep = (list) => (isFlat ? list.slice(0, -1) : list.slice(-KEPT));
  return [[...keep(times), at], [...keep(powers), kw], [...keep(limits), limit]];
}

/** The limit in force at each of these instants. `offers`: when, and how many kW. */
function bounded(points, offers) {
  const times = [...new Set([...points.map(([at]) => at), ...offers.map(([at]) => at).filter((at) => at > points[0]?.[0])])].sort((a, b) => a - b);
  const power = new Map(points);
  const limits = times.map((at) => offers.findLast(([since]) => since <= at)?.[1] ?? null);
  // A point that only the limit has is none of the power's: its line goes on there.
  return [times, times.map((at) => power.get(at)), limits];
}

export function Chart({ state, connector, journal }) {
  const place = useRef(null);
  const plot = useRef(null);
  const data = useRef([[], [], []]);
  const earlier = useRef([[], [], []]);
  const at = Date.parse(state.time) / 1000;
  const kw = powerOf(state, connector) / 1000;
  const limit = state.phase === "running" ? kwOf(connector.limit_a, connector) : 0;
  const most = useRef(IDLE_KW);
  most.current = kwOf(connector.most_a, connector) ?? most.current;

  useLayoutEffect(() => {
    plot.current = new uPlot(options(place.current.clientWidth, () => most.current), data.current, place.current);
    const watcher = new ResizeObserver(() => plot.current.setSize({ width: place.current.clientWidth, height: HEIGHT_PX }));
    watcher.observe(place.current);
    const shade = matchMedia("(prefers-color-scheme: dark)");
    const redraw = () => plot.current.redraw(false);
    shade.addEventListener("change", redraw);
    return () => {
      shade.removeEventListener("change", redraw);
      watcher.disconnect();
      plot.current.destroy();
    };
  }, []);

  // The first bundle of the journal tells what was; after that this chart has seen it itself.
  const isTold = journal.messages.length > 0;
  useEffect(() => {
    const first = data.current[0][0] ?? at;
    const least = Math.max(READING_S, state.speed);
    const perAmp = kwOf(1, connector) ?? 0;
    const offers = journal.offers.filter((each) => each.connector === connector.connector);
    earlier.current = bounded(
      powersOf(readings(journal.messages, connector, first, least), first, first === at ? { wh: connector.meter.register_wh, kw } : { wh: null, kw: null }, least),
      offers.map((each) => [at - state.at_s + each.at_s, each.limit_a * perAmp]).filter(([since]) => since < first),
    );
  }, [isTold]);

  useEffect(() => {
    data.current = added(data.current, at, kw, limit, state.speed);
    const [past, now] = [earlier.current, data.current];
    plot.current.setData(past.map((list, at) => [...list, ...now[at]]), false);
    const from = Math.min(past[0][0] ?? at, now[0][0], at - LEAST_SPAN_S * state.speed);
    plot.current.setScale("x", { min: from, max: at });
    if (plot.current.cursor.left < 0) plot.current.setLegend({ idx: past[0].length + now[0].length - 1 }, false);
  }, [at, kw, limit]);

  const times = [...earlier.current[0], ...data.current[0]];
  const powers = [...earlier.current[1], ...data.current[1]];
  const told = times.length
    ? `Now ${kw.toFixed(2)} kW${limit === null ? "" : `, limit ${limit.toFixed(2)} kW`}; most in the last ${duration(at - times[0])}: ${Math.max(...powers.filter((each) => each != null), kw).toFixed(2)} kW.`
    : "";
  return html`<h2 class="card-title">Power <span class="quiet">${limit === null || limit === 0 ? "" : `limit ${kilo(limit * 1000, 1)} kW`}</span></h2>
    <div class="chart-place">
      <div class="chart" ref=${place} role="img" aria-label=${`Chart of the power over time. ${told}`}></div>
      ${![kw, ...powers].some((each) => each > 0) && !limit && html`<p class="chart-none">No charge yet</p>`}
    </div>`;
}
