// The commands over HTTP, and the live events.

export class Refused extends Error {}

async function asked(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw new Refused("the charger does not answer");
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(body.error?.reason ?? `${answer.status} ${answer.statusText}`);
  return body;
}

const commandPath = (charger, command) => `/api/v1/chargers/${encodeURIComponent(charger)}/${command}`;

/** Ask a charger something. Rejects with Refused. */
export const ask = (charger, command) => asked(commandPath(charger, command));

/** Do something to a charger. Rejects with Refused. */
export const tell = (charger, command, told = {}) =>
  asked(commandPath(charger, command), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(told),
  });

export const chargers = async () => (await asked("/api/v1/chargers")).chargers;

/** Return the names of the commands that this charger knows. */
export async function commands() {
  const { paths } = await asked("/openapi.json");
  const before = "/api/v1/chargers/{charger}/";
  return new Set(Object.keys(paths).filter((path) => path.startsWith(before)).map((path) => path.slice(before.length)));
}

const AGAIN_MS = 2000;

/** Listen to one charger, or to all (null): `on` has a function for each kind of event, and `live` for true or false.
 * `isTold`: with what happened before. */
export function follow(charger, on, isTold = true) {
  // The browser tells the last event's id when it comes back; `recent` is for the first time.
  const query = charger === null ? "?journal=false" : `?charger=${encodeURIComponent(charger)}${isTold ? "&recent=500" : ""}`;
  let source, again;
  const open = () => {
    source = new EventSource(`/api/v1/events${query}`);
    source.addEventListener("open", () => on.live?.(true));
    source.addEventListener("error", () => {
      on.live?.(false);
      // After an answer that is no stream, a proxy's for one, the browser gives up: then what was is told anew.
      if (source.readyState === EventSource.CLOSED) again = setTimeout(() => { on.restarted?.({}); open(); }, AGAIN_MS);
    });
    for (const kind of ["journal", "state", "fleet", "missed", "restarted"]) {
      if (on[kind]) source.addEventListener(kind, (event) => on[kind](JSON.parse(event.data)));
    }
  };
  open();
  return () => {
    clearTimeout(again);
    source.close();
  };
}
