// Something a charger is asked once, and again whenever what it depends on changes.
import { html, useCallback, useEffect, useState } from "./dom.js";
import { ask } from "./api.js";

/** Return the answer (null while there is none), what went wrong, and a function that asks again. */
export function useAsked(charger, command, changes = []) {
  const [answer, setAnswer] = useState(null);
  const [problem, setProblem] = useState("");
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let isWanted = true;
    ask(charger, command).then(
      (found) => isWanted && (setAnswer(found), setProblem("")),
      (error) => isWanted && setProblem(error.message),
    );
    return () => {
      isWanted = false;
    };
  }, [charger, command, turn, ...changes]);
  return [answer, problem, useCallback(() => setTurn((last) => last + 1), [])];
}

export const Waiting = ({ problem }) => html`<p class="none" role="status">${problem || "Asking the charger …"}</p>`;
