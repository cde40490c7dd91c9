// The page: header, then one charger or the whole fleet. The address after # says what is shown.
import { html, render, useCallback, useEffect, useReducer, useRef, useState } from "./dom.js";
import { chargers, follow, tell, commands } from "./api.js";
import { Charger } from "./charger.js";
import { Fleet } from "./fleet.js";
import { folded, nothing } from "./messages.js";
import { cardText, clock, date, short } from "./words.js";

/** `#/CP001/1/messages` → charger, connector and tab. */
function place() {
  const [id = "", connector = "1", tab = ""] = location.hash.replace(/^#\/?/, "").split("/");
  let charger = "";
  try {
    charger = decodeURIComponent(id);
  } catch {
    // An address typed by hand; it leads to the start.
  }
  return { charger: charger || null, connector: Number(connector) || 1, tab };
}

const addressOf = ({ charger, connector, tab }) =>
  charger === null ? "#/" : `#/${encodeURIComponent(charger)}/${connector}${tab ? `/${tab}` : ""}`;

function usePlace() {
  const [shown, setShown] = useState(place);
  useEffect(() => {
    const moved = () => setShown(place());
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  const go = useCallback((changes) => {
    location.hash = addressOf({ ...place(), ...changes });
  }, []);
  return [shown, go];
}

/** What is known of the charger that is looked at. */
function known(before, { kind, body }) {
  switch (kind) {
    case "other": return { live: before.live, state: null, journal: nothing };
    case "live": return { ...before, live: body };
    case "state": return { ...before, state: body };
    case "missed": return { ...before, journal: { ...before.journal, missed: before.journal.missed + body.missed } };
    case "restarted": return { ...before, journal: nothing };
    case "journal": return { ...before, journal: folded(before.journal, body) };
    default: return before;
  }
}

/** Follow a charger; `onCard` hears of cards that were presented meanwhile. */
function useCharger(id, onCard) {
  const [seen, dispatch] = useReducer(known, { live: false, state: null, journal: nothing });
  useEffect(() => {
    dispatch({ kind: "other" });
    if (id === null) return undefined;
    // What happened before this page looked comes before the first state.
    let isFresh = false;
    const on = (kind) => (body) => dispatch({ kind, body });
    return follow(id, {
      live(isLive) {
        if (!isLive) isFresh = false;
        dispatch({ kind: "live", body: isLive });
      },
      state(body) {
        isFresh = true;
        dispatch({ kind: "state", body });
      },
      journal(body) {
        const card = isFresh && body.findLast((entry) => entry.kind === "TagPresented");
        if (card) onCard(card);
        dispatch({ kind: "journal", body });
      },
      missed: on("missed"),
      restarted: on("restarted"),
    });
  }, [id, onCard]);
  return seen;
}

/** Statuses of an answer that say no. */
const REFUSALS = new Set(["Rejected", "NotSupported"]);

function Page() {
  const [shown, go] = usePlace();
  const [ids, setIds] = useState(null);
  const [problem, setProblem] = useState(null);
  const [questions, setQuestions] = useState(new Set());
  const [notice, setNotice] = useState({ text: "", isBad: false, number: 0 });
  const say = useCallback((text, isBad = false) => setNotice((last) => ({ text, isBad, number: last.number + 1 })), []);
  const onCard = useCallback((card) => {
    const { text, isBad } = cardText(card);
    say(text, isBad);
  }, [say]);
  const seen = useCharger(ids?.includes(shown.charger) ? shown.charger : null, onCard);

  useEffect(() => {
    Promise.all([chargers(), commands()])
      .then(([found, names]) => {
        setIds(found.map((each) => each.id));
        setQuestions(names);
        if (found.length === 1 && place().charger === null) location.replace(addressOf({ ...place(), charger: found[0].id }));
      })
      .catch((error) => setProblem(error.message));
  }, []);

  useEffect(() => {
    document.title = shown.charger === null ? "chargepoint" : `${shown.charger} · chargepoint`;
  }, [shown.charger]);

  /** Do a command and say what came of it; returns its answer, null when it was refused. */
  const act = useCallback(
    async (command, told) => {
      try {
        const answer = await tell(shown.charger, command, told);
        const reason = answer.status === "RebootRequired" ? "takes effect after a reboot" : answer.reason;
        say(answer.done ?? (answer.status ? `${answer.status}${reason ? `: ${reason}` : ""}` : "done"), REFUSALS.has(answer.status));
        return answer;
      } catch (error) {
        say(error.message, true);
        return null;
      }
    },
    [shown.charger, say],
  );

  let body;
  if (problem !== null) body = html`<p class="alone" role="alert">${problem}</p>`;
  else if (ids === null) body = html`<p class="alone">Looking for chargers …</p>`;
  else if (shown.charger === null) body = html`<${Fleet} open=${(charger) => go({ charger, connector: 1 })} />`;
  else if (!ids.includes(shown.charger)) {
    body = html`<p class="alone">There is no charger ${shown.charger}. <a href="#/">All chargers</a></p>`;
  } else if (seen.state === null || seen.state.id !== shown.charger) body = html`<p class="alone">Waiting for ${shown.charger} …</p>`;
  else {
    body = html`<${Charger} key=${shown.charger} state=${seen.state} live=${seen.live} journal=${seen.journal} shown=${shown} go=${go}
      act=${act} say=${say} questions=${questions} />`;
  }
  const state = shown.charger !== null && seen.state?.id === shown.charger ? seen.state : null;
  return html`
    <${Header} ids=${ids ?? []} charger=${shown.charger} state=${state} live=${seen.live} go=${go} />
    <main>${body}</main>
    <${Notice} ...${notice} />`;
}

function Header({ ids, charger, state, live, go }) {
  return html`<header class="head">
    <div class="head-in">
      <h1 class="brand"><img src="/static/icon.svg" alt="" width="26" height="26" /><span>chargepoint</span></h1>
      ${ids.length > 1 && html`<${Chooser} ids=${ids} charger=${charger} go=${go} />`}
      ${ids.length === 1 && html`<strong class="head-id">${ids[0]}</strong>`}
      ${state && html`<div class="head-facts">
        <${Connection} state=${state} live=${live} />
        <span class="head-time"><span class="visually-hidden">Time of the charger: </span>
          <time datetime=${state.time}><span class="head-date">${date(state.time)} </span>${clock(state.time)}</time> UTC</span>
        ${state.speed !== 1 && html`<span class="chip" title="Charger time is faster than yours">×${short(state.speed, 2)}<span
          class="visually-hidden"> speed</span></span>`}
      </div>`}
    </div>
  </header>`;
}

/** A few chargers are chosen from a list; of many one types the identity. */
function Chooser({ ids, charger, go }) {
  const all = html`<a class="chip" href="#/">All ${ids.length}</a>`;
  if (ids.length > 200) {
    const taken = (event) => ids.includes(event.target.value) && go({ charger: event.target.value, connector: 1 });
    return html`<div class="chooser">${all}<input list="chargers" aria-label="Charger" placeholder="Charger …" key=${charger}
      value=${charger ?? ""} onChange=${taken} /><datalist id="chargers">
      ${ids.slice(0, 1000).map((id) => html`<option value=${id} />`)}</datalist></div>`;
  }
  return html`<div class="chooser">${charger !== null && all}<select aria-label="Charger" value=${charger ?? ""}
    onChange=${(event) => go({ charger: event.target.value || null, connector: 1 })}>
    <option value="">All chargers</option>
    ${ids.map((id) => html`<option value=${id} selected=${id === charger}>${id}</option>`)}
  </select></div>`;
}

function Connection({ state, live }) {
  const [text, kind] = !live
    ? ["Page offline", "bad"]
    : state.phase !== "running"
      ? [state.phase === "closing" ? "Restarting" : "Stopped", "warn"]
      : !state.is_network_up
        ? ["Network down", "bad"]
        : !state.is_connected
          ? ["Not connected", "bad"]
          : state.registration !== "Accepted"
            ? [`Connected, ${state.registration}`, "warn"]
            : !state.is_answering
              ? ["Connected, calls are not answered", "warn"]
              : ["Connected", "good"];
  return html`<span class=${`chip chip-${kind}`} role="status"><i class="dot" aria-hidden="true"></i>${text}</span>`;
}

/** What a button or a card brought about, said and shown for a moment, away from where somebody is at work. */
function Notice({ text, isBad, number }) {
  const [isShown, setShown] = useState(false);
  const [isAbove, setAbove] = useState(false);
  const timer = useRef(0);
  useEffect(() => {
    if (number === 0) return;
    const focused = document.activeElement.getBoundingClientRect();
    setAbove(document.activeElement !== document.body && (focused.top + focused.bottom) / 2 > innerHeight / 2);
    setShown(true);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setShown(false), isBad ? 12_000 : 4000);
  }, [number]);
  return html`<div class=${`notice${isShown ? " is-shown" : ""}${isBad ? " is-bad" : ""}${isAbove ? " is-above" : ""}`} role=${isBad ? "alert" : "status"}
    aria-live=${isBad ? "assertive" : "polite"}>${isShown && html`<p key=${number}>${text}</p>`}</div>`;
}

render(html`<${Page} />`, document.getElementById("app"));
