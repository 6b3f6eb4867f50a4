// Elements and texts. No text ever becomes markup: it is put in as text, or as an attribute's value.

const byId = (id) => document.getElementById(id);

const fill = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
};

const el = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);

const svg = (name, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

// Only what has changed is touched, so that a screen reader says it once.
const say = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

const show = (node, visible) => {
  node.hidden = !visible;
};

let named = 0;
const freshId = (word) => `${word}-${(named += 1)}`;

// A chart's numbers for those who do not see it: filled in when it is opened.
const numbers = (title, rows) => {
  const details = el("details", {}, el("summary", {}, `Numbers: ${title}`));
  const put = () => {
    details.querySelector("table")?.remove();
    if (details.open) details.append(rows());
  };
  details.addEventListener("toggle", put);
  details.refill = put;
  return details;
};

const plainTable = (caption, heads, rows) =>
  el("table", {},
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((cell) => el("td", {}, cell))))));
