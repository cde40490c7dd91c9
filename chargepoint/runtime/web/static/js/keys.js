// Configuration keys: read, and changed as ChangeConfiguration would.
import { html, useEffect, useRef, useState } from "./dom.js";
import { useAsked, Waiting } from "./asked.js";

export function Keys({ state, live, act }) {
  const [answer, problem, again] = useAsked(state.id, "keys");
  const [wanted, setWanted] = useState("");
  const [isAll, setAll] = useState(true);
  if (answer === null) return html`<${Waiting} problem=${problem} />`;
  const fits = (key) => `${key.key} ${key.value}`.toLowerCase().includes(wanted.toLowerCase()) && (isAll || !key.readonly);
  const shown = answer.keys.filter(fits);
  return html`
    <div class="tools">
      <label class="field grow"><span>Filter</span><input type="search" spellcheck=${false} value=${wanted} placeholder="key or value …" onInput=${(event) => setWanted(event.target.value)} /></label>
      <label class="tick"><input type="checkbox" checked=${!isAll} onChange=${(event) => setAll(!event.target.checked)} /> only those that can be changed</label>
    </div>
    <table class="table keys"><caption class="visually-hidden">Configuration keys</caption>
      <thead><tr><th scope="col">Key</th><th scope="col">Value</th></tr></thead>
      <tbody>${shown.map((key) => html`<tr key=${key.key}><th scope="row" class="code">${key.key}</th>
        <td>${key.readonly ? html`<span class="value">${key.value ?? "–"}</span>` : html`<${Value} of=${key} live=${live} act=${act} again=${again} />`}</td></tr>`)}</tbody>
    </table>
    ${shown.length === 0 && html`<p class="none">No key fits.</p>`}`;
}

function Value({ of: key, live, act, again }) {
  const [value, setValue] = useState(key.value ?? "");
  const [told, setTold] = useState({ status: "", text: "" });
  const last = useRef(key.value);
  useEffect(() => {
    if (last.current === key.value) return;
    last.current = key.value;
    setValue(key.value ?? "");
  }, [key.value]);
  const note = useRef(null);
  useEffect(() => note.current?.scrollIntoView({ block: "nearest" }), [told]);
  const isChanged = value !== (key.value ?? "");
  const isRefused = told.status !== "" && told.status !== "RebootRequired";
  const write = (text) => {
    setValue(text);
    setTold({ status: "", text: "" });
  };
  const save = async (event) => {
    event.preventDefault();
    const answer = await act("key-set", { key: key.key, value });
    if (answer === null) return;
    const texts = {
      Accepted: "",
      RebootRequired: "Takes effect after a reboot.",
      NotSupported: "This key is not supported.",
    };
    const text = texts[answer.status] ?? `Not taken${answer.reason ? `: ${answer.reason}` : "."}`;
    setTold({ status: text && answer.status, text });
    if (answer.status === "Accepted" || answer.status === "RebootRequired") again();
  };
  const id = `told-${key.key}`;
  return html`<form class=${`value-form${isRefused ? " is-refused" : ""}`} onSubmit=${save}>
    <input value=${value} maxlength="500" spellcheck=${false} autocomplete="off" aria-label=${key.key} disabled=${!live}
      aria-invalid=${isRefused ? "true" : "false"} aria-describedby=${told.text ? id : undefined} onInput=${(event) => write(event.target.value)} />
    ${isChanged && html`<button type="submit" class="main" disabled=${!live}>Save</button><button type="button" onClick=${() => write(key.value ?? "")}>Undo</button>`}
    ${told.text && html`<p class=${isRefused ? "problem" : "hint"} id=${id} ref=${note}>${told.text}</p>`}
  </form>`;
}
