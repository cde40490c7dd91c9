// Configuration keys: read, and changed as ChangeConfiguration would.
import { html, useState } from "./dom.js";
import { useAsked, Waiting } from "./asked.js";

export function Keys({ state, act }) {
  const [answer, problem, again] = useAsked(state.id, "keys");
  const [wanted, setWanted] = useState("");
  const [isAll, setAll] = useState(true);
  if (answer === null) return html`<${Waiting} problem=${problem} />`;
  const fits = (key) => `${key.key} ${key.value}`.toLowerCase().includes(wanted.toLowerCase()) && (isAll || !key.readonly);
  const shown = answer.keys.filter(fits);
  return html`
    <div class="tools">
      <label class="field grow"><span>Filter</span><input type="search" value=${wanted} placeholder="key or value …" onInput=${(event) => setWanted(event.target.value)} /></label>
      <label class="tick"><input type="checkbox" checked=${!isAll} onChange=${(event) => setAll(!event.target.checked)} /> only those that can be changed</label>
    </div>
    <table class="table keys"><caption class="visually-hidden">Configuration keys</caption>
      <thead><tr><th scope="col">Key</th><th scope="col">Value</th></tr></thead>
      <tbody>${shown.map((key) => html`<tr key=${key.key}><th scope="row" class="code">${key.key}</th>
        <td>${key.readonly ? html`<span class="value">${key.value ?? "–"}</span>` : html`<${Value} key=${key.value} of=${key} act=${act} again=${again} />`}</td></tr>`)}</tbody>
    </table>
    ${shown.length === 0 && html`<p class="none">No key fits.</p>`}`;
}

function Value({ of: key, act, again }) {
  const [value, setValue] = useState(key.value ?? "");
  const isChanged = value !== (key.value ?? "");
  const save = async (event) => {
    event.preventDefault();
    if (await act("key-set", { key: key.key, value })) again();
  };
  return html`<form class="value-form" onSubmit=${save}>
    <input value=${value} maxlength="500" spellcheck="false" autocomplete="off" aria-label=${key.key} onInput=${(event) => setValue(event.target.value)} />
    ${isChanged && html`<button type="submit" class="main">Save</button><button type="button" onClick=${() => setValue(key.value ?? "")}>Undo</button>`}
  </form>`;
}
