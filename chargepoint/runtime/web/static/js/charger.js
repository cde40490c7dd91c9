// One charger: the box and what can be done to it, its chart, and the tabs below.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./dom.js";
import { Actions } from "./actions.js";
import { Box } from "./box.js";
import { Chart } from "./chart.js";
import { Faults } from "./faults.js";
import { Keys } from "./keys.js";
import { Messages } from "./messages.js";
import { Profiles } from "./profiles.js";
import { Queue } from "./queue.js";
import { Statistics } from "./statistics.js";
import { statusClass, statusText } from "./words.js";

const TABS = [
  { name: "messages", title: "Messages", draw: Messages },
  { name: "keys", title: "Keys", draw: Keys },
  { name: "profiles", title: "Charging profiles", draw: Profiles },
  { name: "queue", title: "Queue", draw: Queue },
  { name: "faults", title: "Faults", draw: Faults },
  { name: "statistics", title: "Statistics", draw: Statistics },
];

function tabsOf(state, connector, questions) {
  const isThere = {
    faults: connector.can_break.length > 0,
    statistics: questions.has("statistics"),
    profiles: questions.has("charging-profiles"),
  };
  return TABS.filter((tab) => isThere[tab.name] ?? true);
}

export function Charger({ state, live, journal, shown, go, act, say, questions }) {
  const connector = state.connectors[shown.connector - 1] ?? state.connectors[0];
  const tabs = tabsOf(state, connector, questions);
  const tab = tabs.find((each) => each.name === shown.tab) ?? tabs[0];
  return html`
    <p class="visually-hidden" role="status">Connector ${connector.connector}: ${statusText(connector.status)}</p>
    ${state.connectors.length > 1 && html`<${Connectors} state=${state} connector=${connector} go=${go} />`}
    <div class=${`top${live ? "" : " is-stale"}`}>
      <section class="card box-card" aria-label=${`Connector ${connector.connector}`}>
        <${Box} state=${state} connector=${connector} live=${live} />
      </section>
      <section class="card actions-card" aria-label="What can be done now">
        ${live ? "" : html`<p class="actions-none">The page is offline: nothing can be done from here.</p>`}
        <fieldset class="bare" disabled=${!live}><${Actions} key=${connector.connector} state=${state} connector=${connector} act=${act} /></fieldset>
      </section>
      <section class="card chart-card" aria-label="Power over time">
        <${Chart} key=${connector.connector} state=${state} connector=${connector} journal=${journal} />
      </section>
    </div>
    <section class="card tabs-card">
      <${Tabs} tabs=${tabs} tab=${tab} state=${state} go=${go} />
      <div class="panel" role="tabpanel" id="panel" aria-labelledby=${`tab-${tab.name}`} tabindex="0">
        <${tab.draw} key=${tab.name} state=${state} live=${live} connector=${connector} journal=${journal} act=${act} say=${say}
          questions=${questions} />
      </div>
    </section>
    <footer class="foot">
      <span>${state.vendor} ${state.model}, board ${state.board}${state.firmware_version && `, firmware ${state.firmware_version}`}</span>
      <a href=${`/display?charger=${encodeURIComponent(state.id)}&connector=${connector.connector}`}>Its own display</a>
      <a href="/openapi.json">API</a></footer>`;
}

function Connectors({ state, connector, go }) {
  return html`<nav class="outlets" aria-label="Connectors">
    ${state.connectors.map((each) => html`<button type="button" class=${`outlet ${statusClass(each.status)}`}
      aria-pressed=${each === connector ? "true" : "false"} onClick=${() => go({ connector: each.connector })}>
      <i class="dot" aria-hidden="true"></i>Connector ${each.connector}<span class="outlet-status">${statusText(each.status)}</span>
    </button>`)}
  </nav>`;
}

/** Tabs as WAI-ARIA has them: one of them takes the focus, arrows go to the others. */
function Tabs({ tabs, tab, state, go }) {
  const counts = { queue: state.waiting_messages + state.undelivered_messages, faults: state.faults.length };
  const list = useRef(null);
  const [more, setMore] = useState("");
  // Which ends go on beyond the view: those fade.
  const look = () => {
    const { scrollLeft, scrollWidth, clientWidth } = list.current;
    setMore(`${scrollLeft > 1 ? " has-before" : ""}${scrollLeft + clientWidth < scrollWidth - 1 ? " has-after" : ""}`);
  };
  useLayoutEffect(() => {
    const watcher = new ResizeObserver(look);
    watcher.observe(list.current);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => {
    const chosen = list.current.querySelector("[aria-selected=true]");
    list.current.scrollLeft = chosen.offsetLeft - (list.current.clientWidth - chosen.offsetWidth) / 2;
    look();
  }, [tab, tabs.length, counts.queue > 0, counts.faults > 0]);
  const move = (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1 };
    const at = [...list.current.children].indexOf(document.activeElement);
    const next = { Home: 0, End: tabs.length - 1 }[event.key] ?? (event.key in steps ? (at + steps[event.key] + tabs.length) % tabs.length : null);
    if (next === null) return;
    event.preventDefault();
    go({ tab: tabs[next].name });
    list.current.children[next].focus();
  };
  return useMemo(
    () => html`<div class=${`tabs${more}`} onScroll=${look} role="tablist" aria-label="Details" ref=${list} onKeyDown=${move}>
      ${tabs.map((each) => html`<button type="button" class="tab" role="tab" id=${`tab-${each.name}`} key=${each.name}
        aria-selected=${each === tab ? "true" : "false"} aria-controls="panel" tabindex=${each === tab ? 0 : -1}
        onClick=${() => go({ tab: each.name })}>${each.title}${counts[each.name] > 0 && html`<span class="count">${counts[each.name]}</span>`}</button>`)}
    </div>`,
    [tabs.length, tab, counts.queue, counts.faults, more],
  );
}
