/** The element with this id. */
export const by = (id) => document.getElementById(id);

/** An element with its attributes, its listeners (`onclick`) and its children; nothing is ever parsed as HTML. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  return fill(node, ...children);
}

/** Give an element these children in place of its own; those that are missing are left out. */
export function fill(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Tell whoever listens to the page instead of looking at it. */
export function say(words) {
  const said = by("said");
  said.textContent = said.textContent === words ? `${words}\u00a0` : words; // the same words again are said again
}

/** A text in which `this` is code. */
export const marked = (text) => text.split("`").map((part, at) => (at % 2 ? el("code", {}, part) : part));
