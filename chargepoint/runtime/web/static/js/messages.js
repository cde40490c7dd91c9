// The messages on the wire, as the journal tells them: newest first, with what each brought back.
import { html, useEffect, useMemo, useRef, useState } from "./dom.js";
import { clock, humps, pretty } from "./words.js";

const KEPT = 500;
const SHOWN = 25;

/** What is known of messages: newest first. */
export const nothing = Object.freeze({ messages: [], offers: [], missed: 0 });

/** Take in a bundle of journal entries; each message is one line, whoever began it. What was offered is for the chart. */
export function folded(before, entries) {
  let messages = before.messages;
  for (const entry of entries) messages = taken(messages, entry);
  const offers = [...before.offers, ...entries.filter((entry) => entry.kind === "OfferChanged")];
  return { ...before, messages: messages.slice(0, KEPT), offers: offers.slice(-KEPT) };
}

function taken(messages, entry) {
  switch (entry.kind) {
    case "CallSent":
      return [{ key: entry.id, at: entry.at_s, isOurs: true, id: entry.message_id, action: entry.action, call: entry.payload, answer: null, isResult: null }, ...messages];
    case "CallAnswered":
      return messages.map((each) =>
        // A late answer to a call that was sent by hand follows its time-out.
        each.isOurs && each.id === entry.message_id && (each.isResult === null || entry.is_result)
          ? { ...each, answer: entry.outcome, isResult: entry.is_result, took: entry.took_s }
          : each,
      );
    case "CallServed":
      return [{ key: entry.id, at: entry.at_s, isOurs: false, id: entry.message_id, action: entry.action, call: entry.payload, answer: entry.answer, isResult: entry.is_result }, ...messages];
    case "FrameRefused":
      return [{ key: entry.id, at: entry.at_s, isOurs: false, id: "", action: "Unusable frame", call: entry.text, answer: entry.reason, isResult: false }, ...messages];
    default:
      return messages;
  }
}

const verdict = (message) => (message.isResult === null ? "waiting" : message.isResult ? "answered" : "error");

/** The one word of an answer that one looks for, else its beginning. */
function gist(message) {
  if (message.isResult === null) return "…";
  try {
    const answer = JSON.parse(message.answer);
    const word = answer.status ?? answer.idTagInfo?.status;
    if (word) return word;
  } catch {
    // Not JSON: it tells what went wrong.
  }
  return message.answer === "{}" ? "ok" : message.answer;
}

const isFitting = (message, wanted) => !wanted || `${message.action} ${message.call} ${message.answer}`.toLowerCase().includes(wanted.toLowerCase());

export function Messages({ state, live, journal, act, say }) {
  const [wanted, setWanted] = useState("");
  const [from, setFrom] = useState("");
  const [most, setMost] = useState(SHOWN);
  const [open, setOpen] = useState(null);
  const [draft, setDraft] = useState(null);
  const writer = useRef(null);
  // What had the focus is gone with the form: it goes back to where one began.
  const close = () => {
    setDraft(null);
    writer.current?.focus();
  };
  const shown = journal.messages.filter((each) => isFitting(each, wanted) && (!from || each.isOurs === (from === "ours")));
  const since = Math.round(Date.parse(state.time) / 1000 - state.at_s);
  const timeOf = (message) => clock(new Date((since + message.at) * 1000).toISOString());
  const table = useMemo(
    () => html`<table class="table messages"><caption class="visually-hidden">Messages, newest first</caption>
      <thead><tr><th scope="col">Time</th><th scope="col"><span class="visually-hidden">From</span></th><th scope="col">Message</th><th scope="col" class="content">Content</th><th scope="col">Answer</th></tr></thead>
      <tbody>${shown.slice(0, most).map((each) => html`<${Row} key=${each.key} message=${each} time=${timeOf(each)} isOpen=${open === each.key}
        turn=${() => setOpen(open === each.key ? null : each.key)} edit=${() => setDraft({ action: each.action, payload: pretty(each.call) })} say=${say} />`)}</tbody>
    </table>`,
    [journal.messages, wanted, from, open, since, most],
  );
  return html`
    <div class="tools">
      <label class="field grow"><span>Filter</span><input type="search" spellcheck=${false} value=${wanted} placeholder="action, tag, value …" onInput=${(event) => setWanted(event.target.value)} /></label>
      <label class="field"><span>From</span><select value=${from} onChange=${(event) => setFrom(event.target.value)}>
        <option value="">both</option><option value="ours">the charger</option><option value="theirs">the central system</option></select></label>
      ${state.phase === "running" && html`<button type="button" disabled=${!live} ref=${writer} onClick=${() => setDraft({ action: "Heartbeat", payload: "{}" })}>Write a message</button>`}
    </div>
    ${draft && html`<${Editor} key=${draft.action + draft.payload} draft=${draft} live=${live} act=${act} close=${close} />`}
    ${shown.length ? table : html`<p class="none">${journal.messages.length ? "No message fits." : "No message yet."}</p>`}
    ${shown.length > most && html`<p class="more"><button type="button" onClick=${() => setMost(most + 4 * SHOWN)}>Show older ones</button></p>`}
    ${shown.length <= most && journal.missed > 0 && html`<p class="none">What came before, or all too fast, is not told here.</p>`}`;
}

/** A name that may go on in the next line where a word ends. */
const breakable = (name) => humps(name).map((part, at) => (at === 0 ? part : [html`<wbr />`, part]));

function Row({ message, time, isOpen, turn, edit, say }) {
  const who = message.isOurs ? "charger to central system" : "central system to charger";
  return html`
    <tr class=${`${verdict(message)}${isOpen ? " is-open" : ""}`} onClick=${(event) => event.target.closest("button") ?? turn()}>
      <td class="time">${time}</td>
      <td class=${message.isOurs ? "arrow ours" : "arrow theirs"}><span aria-hidden="true">${message.isOurs ? "→" : "←"}</span><span class="visually-hidden">${who}</span></td>
      <th scope="row"><button type="button" class="plain" aria-expanded=${isOpen ? "true" : "false"} onClick=${turn}>${breakable(message.action)}</button></th>
      <td class="content code">${message.call === "{}" ? "" : message.call}</td>
      <td class="gist"><span class="gist-text">${breakable(gist(message).slice(0, 200))}</span></td>
    </tr>
    ${isOpen && html`<tr class="detail"><td colspan="5"><${Detail} message=${message} edit=${edit} say=${say} /></td></tr>`}`;
}

const kindOf = (message) => (message.isResult ? 3 : 4);

/** The frames as they went over the wire; the details of an error are told only in words. */
function frames(message) {
  const call = message.id ? `[2,${JSON.stringify(message.id)},${JSON.stringify(message.action)},${message.call}]` : message.call;
  if (message.isResult === null) return [call, ""];
  return [call, message.isResult ? `[${kindOf(message)},${JSON.stringify(message.id)},${message.answer}]` : message.answer];
}

function Detail({ message, edit, say }) {
  const [isRaw, setRaw] = useState(false);
  const [call, answer] = isRaw ? frames(message) : [pretty(message.call), message.answer === null ? "" : pretty(message.answer)];
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(frames(message).filter(Boolean).join("\n"));
      say("copied");
    } catch {
      say("the browser does not let this page copy", true);
    }
  };
  return html`<div class="frames">
      <figure><figcaption>Call</figcaption><pre tabindex="0">${call}</pre></figure>
      <figure><figcaption>${message.isResult === false ? "Error" : "Answer"}${message.took === undefined ? "" : ` after ${Math.round(message.took * 1000)} ms`}</figcaption>
        <pre tabindex="0">${answer || "none yet"}</pre></figure>
    </div>
    <div class="buttons">
      <button type="button" aria-pressed=${isRaw ? "true" : "false"} onClick=${() => setRaw(!isRaw)}>Raw</button>
      <button type="button" onClick=${copy}>Copy</button>
      ${message.isOurs && html`<button type="button" onClick=${edit}>Edit and resend</button>`}
    </div>`;
}

/** A call to write or to change; right or wrong, it is sent. */
function Editor({ draft, live, act, close }) {
  const [action, setAction] = useState(draft.action);
  const [payload, setPayload] = useState(draft.payload);
  const [problem, setProblem] = useState("");
  const send = async (event) => {
    event.preventDefault();
    let told;
    try {
      told = JSON.parse(payload);
    } catch (error) {
      setProblem(`Not JSON: ${error.message}`);
      return;
    }
    if (told === null || typeof told !== "object" || Array.isArray(told)) {
      setProblem("A payload is a JSON object.");
      return;
    }
    setProblem("");
    if (await act("send", { action: action.trim(), payload: told })) close();
  };
  const area = useRef(null);
  useEffect(() => {
    area.current.setSelectionRange(0, 0);
    area.current.focus();
    area.current.scrollTop = 0;
    area.current.form.scrollIntoView({ block: "nearest" });
  }, []);
  return html`<form class="editor" onSubmit=${send} onKeyDown=${(event) => event.key === "Escape" && close()} aria-label="Message to send">
    <label class="field"><span>Action</span><input value=${action} required maxlength="50" spellcheck=${false} class="code" onInput=${(event) => setAction(event.target.value)} /></label>
    <label class="field"><span>Payload</span><textarea rows="10" spellcheck=${false} class="code" ref=${area} aria-invalid=${problem ? "true" : "false"}
      aria-describedby="payload-problem" value=${payload} onInput=${(event) => setPayload(event.target.value)}></textarea></label>
    <p class="problem" id="payload-problem" role="alert">${problem}</p>
    <div class="buttons"><button type="submit" class="main" disabled=${!live}>Send</button><button type="button" onClick=${close}>Cancel</button></div>
  </form>`;
}
