"use strict";
// Tells how far the runs are, and loads the page anew when the report changed: the browser then brings the reader back
// to the same place of it, which this script could not, since the report's frame is closed to it.
{
  const byId = (id) => document.getElementById(id);
  const shown = JSON.parse(byId("state").textContent);
  const report = document.querySelector("iframe");

  function show(state) {
    byId("standing").textContent = state.standing;
    state.runs.forEach((run, index) => {
      const line = byId("runs").children[index];
      const [name, bar, words] = line.children;
      line.hidden = run.words === "";
      name.textContent = run.name;
      name.hidden = state.runs.length === 1;
      bar.hidden = run.state !== "running";
      bar.setAttribute("aria-label", run.step);
      bar.value = run.done;
      words.textContent = run.words;
    });
    set("error", state.error);
    set("waiting", state.waiting);
    tell(state);
  }

  function set(id, text) {
    const place = byId(id);
    if (place === null || place.textContent === text) return; // said once, not every second
    place.textContent = text;
    place.hidden = text === "";
  }

  // Screen readers hear of what happens once, not of every second.
  let before = shown.runs.map((run) => run.state);
  function tell(state) {
    const now = state.runs.map((run) => run.state);
    const changed = state.runs.filter((run, index) => run.state !== before[index] && run.state !== "running");
    if (changed.length > 0) byId("said").textContent = changed.map((run) => `${run.name}: ${run.words}`).join(" ");
    before = now;
  }

  function renew(version) {
    if (version === shown.version) {
      byId("new").hidden = true;
    } else if (report !== null && document.activeElement === report) {
      // Somebody uses the report, and what was typed or chosen there would be lost.
      if (byId("new").hidden) byId("said").textContent = "There are new results.";
      byId("new").hidden = false;
    } else {
      location.reload();
    }
  }

  async function look() {
    try {
      const reply = await fetch("/state", { cache: "no-store" });
      if (!reply.ok) throw new Error(reply.statusText);
      const state = await reply.json();
      set("lost", "");
      show(state);
      renew(state.version);
    } catch {
      set("lost", "The viewer has ended, and this page stays as it is. Start linguabridge view again.");
    }
    setTimeout(look, 1000);
  }

  byId("new").addEventListener("click", () => location.reload());
  show(shown);
  setTimeout(look, 1000);
}
