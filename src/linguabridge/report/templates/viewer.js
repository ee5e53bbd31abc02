"use strict";
// Tells how far the runs are, and shows the report anew when it changed, at the same place of it.
{
  const byId = (id) => document.getElementById(id);
  const first = JSON.parse(byId("state").textContent);
  let report = null; // its frame
  let shown = ""; // its version
  let place = 0; // how far it is scrolled
  let before = first.runs.map((run) => run.state);

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
    renew(state.version);
  }

  function set(id, text) {
    if (byId(id).textContent === text) return; // said once, not every second
    byId(id).textContent = text;
    byId(id).hidden = text === "";
  }

  // Screen readers hear of what happens once, not of every second.
  function tell(state) {
    const changed = state.runs.filter((run, index) => run.state !== before[index] && run.state !== "running");
    if (changed.length > 0) say(changed.map((run) => `${run.name}: ${run.words || "finished"}`).join(" "));
    before = state.runs.map((run) => run.state);
  }

  function say(text) {
    byId("said").textContent = text;
  }

  function renew(version) {
    const button = byId("new");
    if (version === shown) {
      button.hidden = true;
    } else if (version !== "" && report !== null && document.activeElement === report) {
      // Somebody uses the report, and what was typed or chosen there would be lost.
      if (button.hidden) say("There are new results.");
      button.hidden = false;
      button.onclick = () => load(version);
    } else {
      load(version);
    }
  }

  function load(version) {
    if (report !== null && version !== "") say("The report shows new results.");
    shown = version;
    byId("new").hidden = true;
    report?.remove();
    report = version === "" ? null : byId("frame").content.firstElementChild.cloneNode();
    if (report === null) return;
    const frame = report;
    frame.addEventListener("load", () => frame.contentWindow.postMessage({ place }, "*")); // it has no origin to name
    document.querySelector("main").append(frame);
  }

  addEventListener("message", (said) => {
    if (report !== null && said.source === report.contentWindow && Number.isFinite(said.data?.place)) {
      place = said.data.place;
    }
  });

  async function ask() {
    try {
      const reply = await fetch("/state");
      return reply.ok ? await reply.json() : null;
    } catch {
      return null;
    }
  }

  async function look() {
    const state = await ask();
    const lost = "The viewer has ended, and this page stays as it is. Start linguabridge view again.";
    set("lost", state === null ? lost : "");
    if (state !== null) show(state);
    setTimeout(look, 1000);
  }

  show(first);
  setTimeout(look, 1000);
}
