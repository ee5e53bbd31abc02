// What a page does: colours, plots, lists of items, copying. Text is only ever set as text, never as markup.
"use strict";
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const STORED = "linguabridge-colours";
  const PAGE = 50; // rows of a list at a time
  const LONG = 120; // characters of a cell from which it is shown in part, and how many then are
  const SHORT = 80;
  const MANY = 200_000; // characters of a plot's data from which it is drawn as one image: fast, where SVG is sharp
  const WIDE = 30; // characters of a cell from which it breaks into lines
  const NARROWEST = 200; // pixels of a plot's area on a narrow screen

  // Settings may be kept nowhere: in a private window, in a frame, from a file.
  const attempt = (what) => {
    try {
      return what();
    } catch {
      return null;
    }
  };

  const colours = () => root.dataset.colours || (dark.matches ? "dark" : "light");
  const remembered = attempt(() => localStorage.getItem(STORED));
  if (remembered === "light" || remembered === "dark") root.dataset.colours = remembered; // before the first paint

  const read = (script) => JSON.parse(script.textContent);
  const near = (element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return bottom > -200 && top < innerHeight + 200;
  };

  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in element) element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  /* Colours */

  function startColours(changed) {
    const button = document.getElementById("colours");
    const say = () => {
      button.textContent = colours() === "dark" ? "Light colours" : "Dark colours";
    };
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.colours = colours() === "dark" ? "light" : "dark";
      attempt(() => localStorage.setItem(STORED, root.dataset.colours));
      say();
      changed();
    });
    dark.addEventListener("change", () => {
      say();
      changed();
    });
    say();
  }

  /* Plots and lists: one after another, those in view first. */

  function startDrawing() {
    const { themes } = read(document.getElementById("common"));
    const all = [...document.querySelectorAll("figure, .browser")].filter((one) => !one.closest("details"));
    const waits = (one) =>
      one.matches("figure") ? !one.dataset.failed && one.dataset.colours !== colours() : !one.dataset.drawn;
    let drawing = false;

    return async () => {
      if (drawing) return;
      drawing = true;
      for (let waiting; (waiting = all.filter(waits)).length;) {
        const one = waiting.find(near) ?? waiting[0];
        if (one.matches("figure")) await draw(one, themes);
        else browse(one);
        await new Promise((done) => setTimeout(done)); // the page answers in between
      }
      drawing = false;
    };
  }

  /* Plots, drawn anew when the colours change */

  const views = new WeakMap();

  async function draw(figure, themes) {
    const box = figure.querySelector(".plot");
    const data = figure.querySelector("script");
    const choices = figure.querySelector(".choices");
    figure.dataset.colours = colours();
    figure.dataset.drawn = "false";
    box.style.minHeight = `${box.offsetHeight}px`; // the page keeps its place while a plot is replaced
    try {
      views.get(figure)?.finalize();
      views.delete(figure);
      const result = await vegaEmbed(box.firstElementChild, read(data), {
        mode: "vega-lite",
        actions: false,
        ast: true, // expressions are interpreted, as the page allows no code made from text
        defaultStyle: false,
        renderer: data.textContent.length > MANY ? "canvas" : "svg",
        config: { ...themes[figure.dataset.colours], aria: false }, // its box says what it is; each of its marks need not
        tooltip: showTooltip,
      });
      views.set(figure, result);
      if (choices) {
        choices.hidden = false;
        for (const select of choices.querySelectorAll("select"))
          result.view.signal(select.dataset.signal, select.value);
        await result.view.runAsync();
      }
      await fit(result, figure.querySelector(".scroll"));
      box.style.minHeight = "";
      figure.dataset.drawn = "true";
      performance.mark(`drawn ${figure.id}`);
    } catch (error) {
      box.replaceChildren(
        make("p", { className: "failed" }, "This plot could not be drawn. Its numbers are in the table below."),
      );
      box.removeAttribute("role"); // it now is text
      box.removeAttribute("aria-label");
      box.style.minHeight = "";
      if (choices) choices.hidden = true;
      figure.querySelector("details").open = true;
      figure.dataset.failed = String(error);
    }
  }

  // On a narrow screen, the plot's area gives way to its labels; what then still is too wide scrolls.
  async function fit({ view, spec, vgSpec }, scroller) {
    if (spec.usermeta?.fixed) return; // its places mean something
    const widths = [{ name: "width", value: vgSpec.width }, ...(vgSpec.signals ?? [])].filter(
      ({ name, value, update }) => /^((child|concat_\d+)_)?width$|^childWidth$/.test(name) && value > 0 && !update,
    );
    // A legend that gets narrower with the plot may leave labels as what is too wide: then once more.
    for (let round = 0; round < 3; round++) {
      const over = scroller.scrollWidth - scroller.clientWidth;
      if (over <= 0) return;
      for (const { name } of spec.hconcat ? widths.slice(0, 1) : widths)
        view.signal(name, Math.max(view.signal(name) - over, NARROWEST));
      await view.runAsync();
    }
  }

  // Says at what sides a table or plot goes on.
  const watched = new ResizeObserver((all) => all.forEach(({ target }) => sayMore(target.closest(".scroll"))));

  function sayMore(one) {
    const [before, after] = [one.scrollLeft > 1, one.scrollLeft + one.clientWidth < one.scrollWidth - 1];
    const more = [before && "before", after && "after"].filter(Boolean).join(" ");
    if (more === (one.dataset.more ?? "")) return;
    if (more) one.dataset.more = more;
    else delete one.dataset.more;
  }

  function watch(one) {
    watched.observe(one);
    watched.observe(one.firstElementChild);
    one.addEventListener("scroll", () => sayMore(one), { passive: true });
  }

  function startChoices() {
    for (const choices of document.querySelectorAll(".choices")) {
      const figure = choices.closest("figure");
      choices.addEventListener("change", async ({ target }) => {
        const shown = views.get(figure);
        if (!shown) return; // a plot that is being drawn looks what is chosen
        figure.dataset.drawn = "false";
        await shown.view.signal(target.dataset.signal, target.value).runAsync();
        figure.dataset.drawn = "true";
      });
    }
  }

  const tooltip = make("dl", { className: "tooltip", hidden: true });

  function showTooltip(_, event, __, value) {
    tooltip.hidden = value === null || value === undefined || value === "";
    if (tooltip.hidden) return;
    const lines = typeof value === "object" ? Object.entries(value) : [["", value]];
    tooltip.replaceChildren(
      ...lines.map(([name, text]) => make("div", {}, make("dt", {}, name), make("dd", { dir: "auto" }, String(text)))),
    );
    document.body.append(tooltip);
    const { width, height } = tooltip.getBoundingClientRect();
    const left = event.clientX + 14 + width > innerWidth ? event.clientX - 14 - width : event.clientX + 14;
    const top = event.clientY + 14 + height > innerHeight ? event.clientY - 14 - height : event.clientY + 14;
    tooltip.style.left = `${Math.max(left, 4)}px`;
    tooltip.style.top = `${Math.max(top, 4)}px`;
  }

  /* Lists of rows, which come column by column: each value once, and for each row the place of its value. */

  // One form for all ways of writing the same: full width, capitals, ß and ss, both forms of a Greek s.
  const folded = (text) => text.normalize("NFKC").toUpperCase().toLowerCase().replaceAll("ς", "σ").normalize("NFKC");

  // A share as a percentage, never rounded up to certainty, as sentences have it.
  function percent(share) {
    const value = 100 * share;
    if (value > 0 && value < 1) return "<1 %";
    return value > 99 && value < 100 ? ">99 %" : `${value.toFixed(0)} %`;
  }

  function said(value, { decimals, shares }) {
    if (value === null) return "–";
    if (shares && typeof value === "number") return percent(value);
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (typeof value === "number") {
      const plain = decimals && Math.abs(value) < 1000;
      const text = plain ? value.toFixed(3) : value.toLocaleString("en", { maximumFractionDigits: 0 });
      return (plain && Math.abs(value) < 1 ? text.replace("0.", ".") : text).replace("-", "−");
    }
    return typeof value === "string" ? value : value.map(([text]) => text).join(", ");
  }

  // What a value is sorted by; null where there is none. Numbers may come as texts: <.001, +.013, 41 %.
  function sortKey(value, column) {
    if (value === null || typeof value === "number") return value;
    const text = said(value, column);
    if (!column.numeric) return text;
    const number = Number.parseFloat(text.replace("−", "-").replace(/[<>,]/g, ""));
    return Number.isNaN(number) ? null : number;
  }

  // For each of a column's values its place in order; null where it has none.
  function ranks(column) {
    const { compare } = new Intl.Collator(undefined, { numeric: true });
    const keys = column.values.map((value) => sortKey(value, column));
    const order = [...keys.keys()].filter((place) => keys[place] !== null);
    order.sort((a, b) =>
      typeof keys[a] === "number" && typeof keys[b] === "number" ? keys[a] - keys[b] : compare(keys[a], keys[b]),
    );
    const found = keys.map(() => null);
    order.forEach((place, index) => (found[place] = index));
    return found;
  }

  function shownCell(value, column) {
    const cell = make("td", { className: column.numeric ? "n" : "" });
    const parts = Array.isArray(value) ? value : [[said(value, column), ""]];
    parts.forEach(([text, written], index) => {
      const [code, direction] = written.split(" ");
      const box = make("bdi", code ? { lang: code } : {});
      if (direction) box.dir = direction;
      cell.append(index ? ", " : "", box);
      if (text.length > WIDE) cell.classList.add("long");
      if (text.length <= LONG) {
        box.textContent = text;
        return;
      }
      const short = `${text.match(new RegExp(`^.{0,${SHORT}}\\p{M}*`, "su"))[0].replace(/\s+/g, " ")}…`;
      const more = make("button", { type: "button" });
      let open = true;
      const turn = () => {
        open = !open;
        box.textContent = open ? text : short;
        more.replaceChildren(open ? "less" : "more", make("span", { className: "hidden" }, ` of ${column.heading}`));
        more.setAttribute("aria-expanded", open);
      };
      more.addEventListener("click", turn);
      turn();
      cell.append(" ", more);
    });
    return cell;
  }

  function browse(box) {
    const columns = read(box.querySelector("script"));
    const total = columns[0].cells.length;
    const all = [...Array(total).keys()];
    let rows = all;
    let first = 0;
    let sorted = null; // { index, down }

    const status = make("p", { className: "status", "aria-live": "polite" });
    const body = make("tbody");
    const search = make("input", { type: "search", autocomplete: "off", spellcheck: false });
    const filters = columns
      .map((column, index) => ({ column, index }))
      .filter(({ column }) => column.filter)
      .map(({ column, index }) => {
        const select = make("select", { autocomplete: "off" }, make("option", { value: "" }, "all"));
        const rank = ranks(column);
        for (const place of [...column.values.keys()].sort((a, b) => (rank[a] ?? Infinity) - (rank[b] ?? Infinity)))
          select.append(make("option", { value: String(place) }, said(column.values[place], column)));
        return { index, select, label: make("label", {}, column.heading, select) };
      });

    const headers = columns.map((column, index) => {
      const arrow = make("span", { "aria-hidden": "true" }, "↕");
      const button = make("button", { type: "button" }, column.heading, " ", arrow);
      const header = make("th", { scope: "col", className: column.numeric ? "n" : "", "aria-sort": "none" }, button);
      button.addEventListener("click", () => {
        if (sorted?.index !== index) sorted = { index, down: false };
        else sorted = sorted.down ? null : { index, down: true };
        headers.forEach((one, place) => {
          const state = sorted?.index !== place ? "none" : sorted.down ? "descending" : "ascending";
          one.header.setAttribute("aria-sort", state);
          one.arrow.textContent = { none: "↕", ascending: "↑", descending: "↓" }[state];
        });
        choose();
      });
      return { header, arrow };
    });

    const previous = make("button", { type: "button" }, "Previous");
    const next = make("button", { type: "button" }, "Next");
    const place = make("span");
    const turn = (by) => {
      first += by;
      show();
      scroller.scrollTop = 0;
    };
    previous.addEventListener("click", () => turn(-PAGE));
    next.addEventListener("click", () => turn(PAGE));

    function choose() {
      const wanted = folded(search.value.trim());
      // Each value is searched once, however many rows have it.
      const hits = wanted
        ? columns.map((column) =>
            (column.folded ??= column.values.map((one) => folded(said(one, column)))).map((one) =>
              one.includes(wanted),
            ),
          )
        : null;
      const kept = filters
        .filter(({ select }) => select.value)
        .map(({ index, select }) => [columns[index].cells, Number(select.value)]);
      rows = all.filter(
        (row) =>
          kept.every(([cells, value]) => cells[row] === value) &&
          (!hits || columns.some((column, index) => hits[index][column.cells[row]])),
      );
      if (sorted) {
        const { cells } = columns[sorted.index];
        const rank = (columns[sorted.index].ranks ??= ranks(columns[sorted.index]));
        const way = sorted.down ? -1 : 1;
        rows.sort((a, b) => {
          const [one, other] = [rank[cells[a]], rank[cells[b]]];
          if (one === null || other === null) return (one === null) - (other === null); // what is missing comes last
          return way * (one - other);
        });
      }
      first = 0;
      show();
    }

    function show() {
      const shown = rows.slice(first, first + PAGE);
      body.replaceChildren(
        ...shown.map((row) =>
          make("tr", {}, ...columns.map((column) => shownCell(column.values[column.cells[row]], column))),
        ),
      );
      const count = (number) => number.toLocaleString("en");
      const of = rows.length === total ? count(total) : `${count(rows.length)} (${count(total)} in all)`;
      status.textContent = rows.length
        ? `Rows ${count(first + 1)} to ${count(first + shown.length)} of ${of}`
        : `None of ${count(total)} rows fits.`;
      const pages = Math.max(1, Math.ceil(rows.length / PAGE));
      place.textContent = `Page ${count(first / PAGE + 1)} of ${count(pages)}`;
      previous.disabled = first === 0;
      next.disabled = first + PAGE >= rows.length;
    }

    let typing;
    search.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(choose, 150);
    });
    filters.forEach(({ select }) => select.addEventListener("change", choose));
    const table = make(
      "table",
      {},
      make("caption", { className: "hidden" }, box.dataset.title),
      make("thead", {}, make("tr", {}, ...headers.map(({ header }) => header))),
      body,
    );
    const scroller = make(
      "div",
      { className: "scroll", tabindex: "0", role: "group", "aria-label": `${box.dataset.title}: table` },
      table,
    );
    box.append(
      make(
        "div",
        { className: "tools", role: "search", "aria-label": box.dataset.title },
        make("label", {}, "Search", search),
        ...filters.map(({ label }) => label),
      ),
      status,
      make("div", { className: "wide" }, scroller),
      make(
        "div",
        { className: "pages", role: "group", "aria-label": `${box.dataset.title}: pages` },
        previous,
        next,
        place,
      ),
    );
    show();
    watch(scroller);
    box.dataset.drawn = "true";
  }

  // Long tables, each drawn when it is opened.
  function startTables() {
    for (const box of document.querySelectorAll("details .browser"))
      box.closest("details").addEventListener("toggle", () => box.dataset.drawn || browse(box));
  }

  /* The command */

  function startCopying() {
    for (const button of document.querySelectorAll(".copy")) {
      const code = button.parentElement.querySelector("code");
      const status = button.parentElement.querySelector("[role=status]");
      button.hidden = false;
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(code.textContent);
          status.textContent = "Copied.";
        } catch {
          getSelection().selectAllChildren(code); // a page in a file or a frame may not use the clipboard
          status.textContent = "Selected: copy it with your keyboard.";
        }
      });
    }
  }

  addEventListener("DOMContentLoaded", () => {
    const draw = startDrawing();
    startColours(draw);
    startChoices();
    startTables();
    document.querySelectorAll(".scroll").forEach(watch);
    startCopying();
    addEventListener("keydown", ({ key }) => {
      if (key === "Escape") tooltip.hidden = true;
    });
    draw();
  });
})();
