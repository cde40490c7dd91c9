// The power of the time before this page was opened, from the meter values that went over the wire.

const INSTANT_S = 0.001; // two points at one instant make a step; a chart wants them in order

const seconds = (timestamp) => Date.parse(timestamp) / 1000;

function read(payload) {
  try {
    return JSON.parse(payload) ?? {};
  } catch {
    return {}; // somebody sent it as it was, right or wrong
  }
}

/** What a MeterValue tells of a measurand, of all phases, in thousands of its unit; null: nothing. */
function told({ sampledValue = [] }, measurand, unit) {
  const all = sampledValue.filter((each) => (each.measurand ?? "Energy.Active.Import.Register") === measurand
    && (each.location ?? "Outlet") === "Outlet" && each.format !== "SignedData");
  const whole = all.filter((each) => each.phase === undefined);
  const sum = (whole.length ? whole.slice(0, 1) : all).reduce((sum, each) => sum + Number(each.value) / (each.unit === unit ? 1 : 1000), 0);
  return all.length && Number.isFinite(sum) ? sum : null;
}

/** What is known of a connector before `now` (s), oldest first: the instant, `kw`, `kwh` of the register, and which
 * transaction runs from then on (`transaction`, null: none). An `edge` begins or ends one. `least`: s between two that
 * power is made of. */
export function readings(messages, { connector, charge }, now, least) {
  const found = [];
  const add = (reading) => reading.at < now && found.push(reading);
  const transactions = new Set();
  for (const message of messages.toReversed()) {
    if (!message.isOurs) continue;
    const { connectorId, transactionId, timestamp, meterStart, meterStop, meterValue } = read(message.call);
    if (message.action === "StartTransaction" && connectorId === connector) {
      const transaction = read(message.answer ?? "{}").transactionId ?? "not numbered";
      transactions.add(transaction);
      add({ at: seconds(timestamp), kw: null, kwh: meterStart / 1000, transaction, edge: "start" });
    } else if (message.action === "MeterValues" && connectorId === connector && Array.isArray(meterValue)) {
      if (transactionId !== undefined) transactions.add(transactionId);
      for (const each of meterValue) {
        const [kw, kwh] = [told(each, "Power.Active.Import", "kW"), told(each, "Energy.Active.Import.Register", "kWh")];
        if (kw !== null || kwh !== null) add({ at: seconds(each.timestamp), kw, kwh, transaction: transactionId ?? null, edge: null });
      }
    } else if (message.action === "StopTransaction" && transactions.has(transactionId)) {
      add({ at: seconds(timestamp), kw: null, kwh: meterStop / 1000, transaction: transactionId, edge: "stop" });
    }
  }
  if (charge !== null) {
    // Its messages may wait for the network.
    add({ at: seconds(charge.started), kw: null, kwh: charge.meter_start_wh / 1000, transaction: charge.transaction_id ?? "not numbered", edge: "start" });
  }
  return thinned(followed(found.sort((a, b) => a.at - b.at || rank(a) - rank(b))), least);
}

const rank = ({ edge }) => ({ start: 0, stop: 2 })[edge] ?? 1;

/** Which transaction runs after each of them; what belongs to one that is over, or was sent twice, is left out. */
function followed(all) {
  const kept = [];
  const ended = new Set();
  let running = null;
  for (const each of all) {
    if (each.edge === "start" && kept.at(-1)?.edge === "start" && kept.at(-1).at === each.at) kept.pop();
    if (each.transaction !== null && ended.has(each.transaction)) continue;
    if (each.edge === "stop") ended.add(each.transaction);
    running = each.edge === "stop" ? null : (each.transaction ?? running);
    kept.push({ ...each, transaction: running });
  }
  return kept;
}

/** Leave out registers that are too close to the one before. */
function thinned(all, least) {
  const kept = [];
  for (const each of all) {
    const last = kept.at(-1);
    const isClose = last !== undefined && each.at - last.at < least && each.kw === null && last.kw === null;
    if (isClose && each.edge === null) continue;
    if (isClose && last.edge === null && each.edge === "stop") kept.pop();
    kept.push(each);
  }
  return kept;
}

/** The power between two readings, kW at the first and at the second; null: nobody knows. What the meter said itself is
 * better than what two registers close to each other make of it. */
function between(a, b, least) {
  if (a.transaction === null) return b.edge === null && b.transaction !== null ? null : [0, 0];
  if (b.edge === "start" || (b.transaction !== null && b.transaction !== a.transaction)) return null;
  if (a.kw !== null && b.kw !== null) return [a.kw, b.kw];
  if (b.at - a.at < least && (a.kw ?? b.kw) !== null) return null;
  const gained = a.kwh === null || b.kwh === null || b.at <= a.at ? -1 : b.kwh - a.kwh;
  const kw = (gained * 3600) / (b.at - a.at);
  return gained < 0 ? null : [kw, kw];
}

const LONG = 20; // times `least`: over less, a register that is a look old tells too little power

/** Points of the power up to `now`: s and kW, null where a gap begins. `live`: `wh` of the register and `kw` at the last
 * look, each null if not known. */
export function powers(known, now, live, least) {
  if (known.length === 0) return [];
  const last = known.at(-1);
  if (now - last.at < least && last.kw === null) {
    if (last.edge === null && known.length > 1) known = known.slice(0, -1);
    else live = { wh: null, kw: null };
  }
  const all = [...known, { at: now, kw: null, kwh: live.wh === null ? null : live.wh / 1000, transaction: last.transaction, edge: null }];
  const points = [];
  const add = (at, kw) => points.push([at > (points.at(-1)?.[0] ?? -Infinity) ? at : points.at(-1)[0] + INSTANT_S, kw]);
  for (let at = 0; at + 1 < all.length; at += 1) {
    const [from, to] = [all[at], all[at + 1]];
    const isLive = to === all.at(-1) && from.transaction !== null && live.kw !== null && to.at - from.at < LONG * least;
    const pair = isLive ? [live.kw, live.kw] : between(from, to, least);
    if (pair === null) {
      if (points.length === 0) add(from.at, from.kw);
      add(from.at, null);
    } else {
      if (points.length === 0 || points.at(-1)[1] !== pair[0]) add(from.at, pair[0]);
      add(to.at - INSTANT_S, pair[1]);
    }
  }
  return points.filter(([at]) => at < now);
}
