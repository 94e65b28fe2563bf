// What the pages do beyond plain HTML. Each part stands alone, and every page works without any of it.
"use strict";

const chartLibrary = document.currentScript.dataset.chartLibrary;
const words = document.body.dataset;

// --- Rows that open: a click or Enter anywhere on the row, Ctrl or the middle button for a new tab.

function open(row, event) {
  if (event.ctrlKey || event.metaKey || event.button === 1) window.open(row.dataset.href, "_blank", "noopener");
  else location.assign(row.dataset.href);
}

function rowOf(event) {
  const control = event.target.closest("a, button, input, select, textarea, label, summary");
  return control ? null : event.target.closest("tr[data-href]");
}

for (const name of ["click", "auxclick"]) {
  document.addEventListener(name, (event) => {
    const row = rowOf(event);
    const selecting = String(getSelection()).length > 0;
    if (row && event.button < 2 && !selecting) open(row, event);
  });
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("tr[data-href]")) open(event.target, event);
});

function makeRowsReachable(root) {
  for (const row of root.querySelectorAll("tr[data-href]")) {
    // A row with a link in it is reached through the link.
    if (!row.querySelector("a[href]")) row.tabIndex = 0;
  }
}

// --- A question before what cannot be undone.

document.addEventListener("submit", (event) => {
  const form = event.target;
  const submitter = event.submitter;
  const question = submitter?.dataset.confirm ?? form.dataset.confirm;
  if (!question || form.dataset.confirmed) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  ask(question, submitter).then((yes) => {
    if (!yes) return;
    form.dataset.confirmed = "yes";
    form.requestSubmit(submitter?.form === form ? submitter : undefined);
    delete form.dataset.confirmed;
  });
}, true);

function ask(question, submitter) {
  const dialog = document.createElement("dialog");
  const text = document.createElement("p");
  text.id = "question";
  text.textContent = question;
  dialog.setAttribute("aria-labelledby", text.id);
  const actions = document.createElement("div");
  actions.className = "form-actions";
  const cancel = button(words.wordCancel || "Cancel", "btn", "no");
  const go = button(submitter?.textContent.trim() || "OK", submitter?.classList.contains("btn-danger") ? "btn btn-danger" : "btn btn-primary", "yes");
  actions.append(cancel, go);
  dialog.append(text, actions);
  document.body.append(dialog);
  dialog.showModal();
  cancel.focus();
  return new Promise((resolve) => {
    for (const one of [cancel, go]) one.addEventListener("click", () => dialog.close(one.value));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

function button(text, className, value) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.className = className;
  made.value = value;
  return made;
}

// --- One key, one action; never while somebody types or a question is open.

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.target.closest("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]")) return;
  const target = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!target || target.disabled) return;
  event.preventDefault();
  if (target.matches("input, select, textarea")) target.focus();
  else target.click();
});

// --- Selection: `data-check-all="name"` ticks every box of that name in its form or table.

function selectionOf(box) {
  const within = box.closest("form, table") ?? document;
  return [...within.querySelectorAll(`input[type=checkbox][name="${CSS.escape(box.dataset.checkAll || "ids")}"]`)];
}

function showSelection() {
  for (const all of document.querySelectorAll("input[data-check-all]")) {
    const boxes = selectionOf(all);
    const ticked = boxes.filter((box) => box.checked).length;
    all.checked = ticked > 0 && ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
    const within = all.closest("form") ?? document;
    for (const bulk of within.querySelectorAll("[data-bulk]")) bulk.hidden = ticked === 0;
    for (const count of within.querySelectorAll("[data-bulk-count]")) count.textContent = ticked.toLocaleString(document.documentElement.lang);
  }
}

document.addEventListener("change", (event) => {
  if (event.target.matches("input[data-check-all]")) {
    for (const box of selectionOf(event.target)) box.checked = event.target.checked;
  }
  if (event.target.matches("input[type=checkbox]")) showSelection();
  if (event.target.matches("[data-submit-on-change]")) event.target.form?.requestSubmit();
});

// --- Tabs: `role=tab` buttons with `aria-controls`; arrow keys move between them.

function choose(tab) {
  for (const other of tab.closest("[role=tablist]").querySelectorAll("[role=tab]")) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    const panel = document.getElementById(other.getAttribute("aria-controls"));
    if (panel) panel.hidden = !chosen;
  }
}

function startTabs(root) {
  for (const list of root.querySelectorAll("[role=tablist]")) {
    const chosen = list.querySelector("[role=tab][aria-selected=true]") ?? list.querySelector("[role=tab]");
    if (chosen) choose(chosen);
  }
}

document.addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]");
  if (tab) choose(tab);
});

document.addEventListener("keydown", (event) => {
  if (!event.target.matches("[role=tab]") || !["ArrowRight", "ArrowLeft", "Home", "End"].includes(event.key)) return;
  const tabs = [...event.target.closest("[role=tablist]").querySelectorAll("[role=tab]")];
  const forwards = (event.key === "ArrowRight") === (document.documentElement.dir !== "rtl");
  const step = forwards ? 1 : -1;
  const at = { Home: 0, End: tabs.length - 1 }[event.key] ?? (tabs.indexOf(event.target) + step + tabs.length) % tabs.length;
  event.preventDefault();
  choose(tabs[at]);
  tabs[at].focus();
});

// --- Copying: `data-copy="id"` copies the value or text of that element.

document.addEventListener("click", async (event) => {
  const copier = event.target.closest("[data-copy]");
  const source = copier && document.getElementById(copier.dataset.copy);
  if (!source) return;
  event.preventDefault();
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    copier.textContent = words.wordCopied || "Copied";
  } catch {
    // No right to the clipboard: selected, it can be copied by hand.
    source.select?.();
  }
});

// --- Charts: `canvas[data-chart="id"]` draws the JSON of that element,
// {"labels": […], "series": [{"label": …, "data": […], "tone": "out"}], "kind": "bar"}.

const dark = matchMedia("(prefers-color-scheme: dark)");
const charts = new Map();
let library;

function loadCharts() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = chartLibrary;
    script.onload = () => resolve(window.Chart);
    script.onerror = reject;
    document.head.append(script);
  });
  return library;
}

function token(name) {
  // A computed colour is resolved for light or dark; the custom property itself is not.
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  probe.style.color = `var(--${name})`;
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

function faded(colour, share) {
  return colour.replace(/^rgba?\(([^,]+),([^,]+),([^,)]+).*\)$/, `rgba($1,$2,$3, ${share})`);
}

const SHARES = [1, 0.6, 0.3, 0.8, 0.45, 0.15];

function datasets(series, kind) {
  const seen = {};
  return series.map((one) => {
    const tone = one.tone ?? "out";
    const nth = seen[tone] = (seen[tone] ?? -1) + 1;
    const colour = faded(token(tone), SHARES[nth % SHARES.length]);
    const line = { borderColor: colour, borderWidth: 2, pointRadius: 0, pointHitRadius: 12, tension: 0.25 };
    return { label: one.label, data: one.data, backgroundColor: colour, ...(kind === "bar" ? {} : line) };
  });
}

function optionsOf(data, kind, horizontal) {
  const spark = kind === "spark";
  const value = { stacked: kind === "bar", beginAtZero: true, display: !spark, border: { display: false }, grid: { color: token("line") }, ticks: { maxTicksLimit: 5, precision: data.precision ?? 0 } };
  const label = { stacked: kind === "bar", display: !spark, border: { display: false }, grid: { display: false }, ticks: { maxTicksLimit: horizontal ? 20 : 8, maxRotation: 0 } };
  return {
    animation: false,
    maintainAspectRatio: false,
    indexAxis: horizontal ? "y" : "x",
    interaction: { mode: "index", intersect: false, axis: horizontal ? "y" : "x" },
    locale: document.documentElement.lang,
    plugins: {
      legend: { display: !spark && data.series.length > 1, position: "bottom", align: "start", labels: { boxWidth: 10, boxHeight: 10, borderRadius: 3, useBorderRadius: true, padding: 18 } },
      tooltip: { enabled: !spark },
    },
    scales: horizontal ? { x: value, y: label } : { x: label, y: value },
    datasets: { bar: { borderRadius: 2, categoryPercentage: 0.72, barPercentage: 1, maxBarThickness: 40 } },
  };
}

function draw(canvas) {
  const source = document.getElementById(canvas.dataset.chart);
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const kind = canvas.dataset.chartKind ?? data.kind ?? "bar";
  const horizontal = kind === "hbar";
  const shape = horizontal ? "bar" : kind;
  if (!canvas.parentElement.classList.contains("chart")) {
    const room = document.createElement("div");
    room.className = kind === "spark" ? "chart spark" : "chart";
    canvas.replaceWith(room);
    room.append(canvas);
  }
  if (!canvas.hasAttribute("role")) canvas.setAttribute("role", "img");
  if (!canvas.hasAttribute("aria-label")) {
    const title = canvas.closest(".card")?.querySelector("h2");
    canvas.setAttribute("aria-label", title ? title.textContent : document.title);
  }
  charts.get(canvas)?.destroy();
  window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  window.Chart.defaults.color = token("muted");
  charts.set(canvas, new window.Chart(canvas, {
    type: shape === "bar" ? "bar" : "line",
    data: { labels: data.labels, datasets: datasets(data.series, shape) },
    options: optionsOf(data, shape, horizontal),
  }));
}

async function startCharts(root) {
  const canvases = [...root.querySelectorAll("canvas[data-chart]")];
  if (!canvases.length) return;
  await loadCharts();
  for (const canvas of canvases) if (!charts.has(canvas)) draw(canvas);
}

function forgetGoneCharts() {
  for (const [canvas, chart] of charts) {
    if (canvas.isConnected) continue;
    chart.destroy();
    charts.delete(canvas);
  }
}

dark.addEventListener("change", () => { for (const canvas of charts.keys()) draw(canvas); });

// --- Start, and again for whatever htmx brings in.

function start(root) {
  makeRowsReachable(root);
  startTabs(root);
  showSelection();
  startCharts(root);
}

start(document);
document.addEventListener("htmx:afterSettle", (event) => {
  forgetGoneCharts();
  start(event.target.parentElement ?? document);
});

// --- Pages made to be printed.

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
