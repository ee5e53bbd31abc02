"use strict";
// Within the report: tells the page around it how far it is scrolled, and scrolls there when that page says so.
{
  let wanted = null;
  const go = () => {
    if (wanted !== null) scrollTo(0, wanted);
  };
  const stay = () => {
    wanted = null;
  };
  addEventListener("message", (said) => {
    if (said.source !== parent || !Number.isFinite(said.data?.place)) return;
    wanted = said.data.place;
    go();
    setTimeout(stay, 3000);
  });
  addEventListener("scroll", () => parent.postMessage({ place: scrollY }, "*"), { passive: true });
  new ResizeObserver(go).observe(document.documentElement); // the page grows while plots are drawn
  for (const kind of ["wheel", "pointerdown", "touchstart", "keydown"]) addEventListener(kind, stay, { passive: true });
}
