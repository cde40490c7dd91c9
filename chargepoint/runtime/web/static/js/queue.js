// Transaction messages that wait for the central system, and those that were given up.
import { html, useState } from "./dom.js";
import { useAsked, Waiting } from "./asked.js";

export function Queue({ state, live, act }) {
  const [answer, problem, again] = useAsked(state.id, "queue", [state.waiting_messages, state.undelivered_messages]);
  if (answer === null) return html`<${Waiting} problem=${problem} />`;
  const given = answer.messages.filter((each) => each.is_undelivered);
  const waiting = answer.messages.filter((each) => !each.is_undelivered);
  const settle = async (command, key) => (await act(command, { key })) && again();
  if (answer.messages.length === 0) return html`<p class="none">Nothing waits: the central system has answered every transaction message.</p>`;
  return html`
    ${given.length > 0 && html`<h3 class="part">Given up, and kept</h3>
      <${List} messages=${given} caption="Messages that were given up" settle=${settle} live=${live} />`}
    ${waiting.length > 0 && html`<h3 class="part">Waiting, oldest first</h3><${List} messages=${waiting} caption="Messages that wait" />`}`;
}

function List({ messages, caption, settle, live }) {
  return html`<table class="table queue"><caption class="visually-hidden">${caption}</caption>
    <thead><tr><th scope="col">Message</th><th scope="col">Attempts</th><th scope="col">Content</th>${settle && html`<th scope="col">What to do</th>`}</tr></thead>
    <tbody>${messages.map((each) => html`<${Kept} key=${each.key} message=${each} settle=${settle} live=${live} />`)}</tbody>
  </table>`;
}

function Kept({ message, settle, live }) {
  const [isOpen, setOpen] = useState(false);
  return html`<tr><th scope="row">${message.action}</th><td>${message.attempts}</td>
    <td>${isOpen
      ? html`<pre tabindex="0">${JSON.stringify(message.payload, null, 2)}</pre>`
      : html`<button type="button" class="plain" onClick=${() => setOpen(true)}>show<span class="visually-hidden"> content of ${message.action} ${message.key}</span></button>`}</td>
    ${settle && html`<td><div class="buttons"><button type="button" disabled=${!live} onClick=${() => settle("requeue", message.key)}>Send again</button>
      <button type="button" disabled=${!live} onClick=${() => settle("dismiss", message.key)}>Dismiss</button></div></td>`}</tr>`;
}
