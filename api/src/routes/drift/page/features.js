// All features in a table: those that drift first, pictures where one is opened.

const COLUMNS = [
  { name: "Feature", order: (row) => row.picture.name.toLowerCase() },
  { name: "KS", number: true, falling: true, order: (row) => row.feature?.ks_stat },
  { name: "p-value", number: true, order: (row) => row.feature?.p_value },
  { name: "Held against", number: true, wide: true, order: (row) => row.picture.threshold?.p_value },
  { name: "PSI", number: true, wide: true, falling: true, order: (row) => row.feature?.psi },
  { name: "State", order: (row) => (row.feature?.drift ? 0 : 1) },
];
const STATE = 5;

let rows = [];
let sorting = { column: STATE, falling: false };
let drifting = "";

const compare = (a, b) => {
  const { column, falling } = sorting;
  const [x, y] = [a, b].map(COLUMNS[column].order);
  // What is not known is last, whichever way.
  if ((x ?? null) === null || (y ?? null) === null) return ((x ?? null) === null) - ((y ?? null) === null) || a.index - b.index;
  const order = x < y ? -1 : x > y ? 1 : 0;
  if (order !== 0) return falling ? -order : order;
  const [p, q] = [a, b].map((row) => row.feature?.p_value ?? 2);
  return p - q || a.index - b.index;
};

const arrange = () => {
  const focused = document.activeElement;
  const body = byId("feature-table").tBodies[0];
  body.replaceChildren(...[...rows].sort(compare).flatMap((row) => (row.detail ? [row.node, row.detail] : [row.node])));
  // Moving an element takes the focus from it.
  if (focused && body.contains(focused)) focused.focus({ preventScroll: true });
  const heads = byId("feature-table").tHead.rows[0].cells;
  COLUMNS.forEach((_, at) => {
    if (at === sorting.column) heads[at].setAttribute("aria-sort", sorting.falling ? "descending" : "ascending");
    else heads[at].removeAttribute("aria-sort");
  });
};

const sortBy = (column) => {
  const same = column === sorting.column;
  sorting = { column, falling: same ? !sorting.falling : Boolean(COLUMNS[column].falling) };
  arrange();
};

const toggle = (row) => {
  const opens = !row.detail;
  row.button.setAttribute("aria-expanded", String(opens));
  if (opens) {
    row.panel = featurePanel();
    row.panel.node.id = row.button.getAttribute("aria-controls");
    row.detail = el("tr", { class: "detail" }, el("td", { colspan: COLUMNS.length }, row.panel.node));
    row.node.after(row.detail);
    row.panel.update(row.report, row.picture, row.feature);
  } else {
    row.detail.remove();
    row.detail = row.panel = null;
  }
};

const makeRow = (index) => {
  const row = { index, detail: null, panel: null };
  row.button = el("button", { type: "button", class: "open", "aria-expanded": "false", "aria-controls": `feature-${index}`, onclick: () => toggle(row) });
  row.cells = COLUMNS.slice(1).map(({ number, wide }) => el("td", { class: [number && "number", wide && "wide"].filter(Boolean).join(" ") || null }));
  row.node = el("tr", { "data-feature": index }, el("th", { scope: "row" }, row.button), row.cells);
  return row;
};

// A feature may drift although its distribution does not.
const besides = ({ feature, report }) => {
  if (!(feature.corrected_p_value > report.status.threshold)) return "";
  const missing = Math.abs((feature.missing_share ?? 0) - (feature.missing_share_in_training ?? 0));
  return missing > (feature.out_of_range_share ?? 0) ? ", missing values" : ", out of range";
};

const stateOf = (row) => {
  const missing = row.report.status.samples > 0 ? STATES[row.picture.state] : undefined;
  if (row.feature?.drift) return [el("span", { class: "is-drift" }, "▲ Drift"), missing ? `, ${missing.toLowerCase()}` : besides(row)];
  return [missing ?? (row.feature ? "Quiet" : "Collecting")];
};

const updateRow = (row, report, picture, feature) => {
  Object.assign(row, { report, picture, feature });
  say(row.button, picture.name);
  const cells = [data("ks_stat", feature?.ks_stat), data("p_value", feature?.p_value), data("threshold", picture.threshold?.p_value), data("psi", feature?.psi)];
  cells.forEach((cell, at) => row.cells[at].replaceChildren(cell));
  row.cells[STATE - 1].replaceChildren(...stateOf(row));
  row.panel?.update(report, picture, feature);
};

const forgetFeatures = () => {
  rows = [];
  sorting = { column: STATE, falling: false };
};

const features = (report) => {
  show(byId("features-section"), report.features.length > 0);
  const heads = byId("feature-table").tHead.rows[0];
  if (heads.cells.length === 0) {
    heads.append(...COLUMNS.map(({ name, number, wide }, at) =>
      el("th", { scope: "col", class: [number && "number", wide && "wide"].filter(Boolean).join(" ") || null },
        el("button", { type: "button", onclick: () => sortBy(at) }, name))));
  }
  const fresh = rows.length !== report.features.length;
  if (fresh) rows = report.features.map((_, index) => makeRow(index));
  const compared = report.status.features;
  rows.forEach((row, index) => updateRow(row, report, report.features[index], compared?.[`feature_${index}`]));
  say(byId("features-about"), compared
    ? `${rows.filter((row) => row.feature.drift).length} of ${rows.length} drift by themselves. ${report.rule.words}`
    : "Judged once there are enough rows; the pictures show what there is.");
  // Rows move only when there is news, not with every number under the reader's eyes.
  const now = rows.filter((row) => row.feature?.drift).map((row) => row.index).join();
  if (fresh || now !== drifting) {
    drifting = now;
    arrange();
  }
};

addEventListener("resize", () => rows.forEach((row) => row.panel?.draw()));
