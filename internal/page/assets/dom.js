// Elements: made anew each time, and put in the place of what is there so that
// what did not change stays, with its focus, its selection and what is unfolded.

// h makes an element. Texts become text, never markup; null and false nothing.
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false && c !== ""));
  return element;
}

// fill makes the children of an element like those that are given. Those with a
// data-key are known again by it, others by their place.
export function fill(parent, ...children) {
  const wanted = [...h("div", null, ...children).childNodes];
  const keys = new Set(wanted.map((node) => node.dataset?.key));
  const known = new Map();
  for (const child of [...parent.children]) {
    if (!child.dataset.key) continue;
    if (keys.has(child.dataset.key)) known.set(child.dataset.key, child);
    else child.remove(); // first: what is moved loses its focus
  }
  let at = parent.firstChild;
  for (const node of wanted) {
    const key = node.dataset?.key;
    const have = key ? known.get(key) : at;
    if (!have || !alike(have, node)) {
      parent.insertBefore(node, at);
      continue;
    }
    if (have === at) at = at.nextSibling;
    else parent.insertBefore(have, at);
    update(have, node);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function alike(have, node) {
  return have.nodeName === node.nodeName && have.dataset?.key === node.dataset?.key;
}

function update(have, node) {
  if (have.nodeType === Node.TEXT_NODE) {
    if (have.data !== node.data) have.data = node.data;
    return;
  }
  for (const { name } of [...have.attributes]) {
    if (!node.hasAttribute(name) && !mine(have, name)) have.removeAttribute(name);
  }
  for (const { name, value } of node.attributes) {
    if (have.getAttribute(name) !== value && !mine(have, name)) have.setAttribute(name, value);
  }
  fill(have, ...node.childNodes);
}

// mine says whether an attribute is the reader's: what is unfolded stays so.
function mine(element, name) {
  return name === "open" && element.nodeName === "DETAILS";
}
