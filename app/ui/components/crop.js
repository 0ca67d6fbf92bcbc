// A region of a photo as fractions of its sides [left, top, right, bottom], or null for all of it.
// Pointer: drag draws, the box moves, its corners resize. Keyboard: Enter begins, arrows move,
// with Shift they resize, Escape ends.

const states = new WeakMap();

const STEP = 0.02;
// A smaller region is a slip of the hand: it holds nothing that could be searched for.
const LEAST = 0.05;
const HINT = "Drag on the photo to search for a part of it.";

export default function ({ data, parentElement: root, setTriggerValue }) {
  const frame = root.querySelector(".frame");
  const picture = frame.querySelector("img");
  const state = states.get(frame) ?? { box: null, drag: null };
  states.set(frame, state);
  if (picture.getAttribute("src") !== data.src) {
    picture.src = data.src;
    state.drag = null;
  }
  picture.alt = data.name;
  picture.onload = () => paint(root, state);
  frame.setAttribute(
    "aria-label",
    `${data.name}. To search for a part of it, press Enter, move the region with the arrow keys, ` +
      "resize it with Shift and the arrow keys; Escape takes the whole photo.",
  );
  if (!state.drag && !state.waiting) state.box = data.box;
  // What the page knows: a change may be on its way to it while the next one is made.
  state.known = JSON.stringify(data.box);
  paint(root, state);

  const commit = () => {
    clearTimeout(state.waiting);
    state.waiting = null;
    const { box } = state;
    if (JSON.stringify(box) === state.known) return;
    state.known = JSON.stringify(box);
    root.querySelector(".announcer").textContent = box ? described(box) : "The whole photo";
    setTriggerValue("region", { box });
  };
  const set = (box) => {
    state.box = box;
    paint(root, state);
  };

  frame.onpointerdown = (event) => {
    if (event.button !== 0) return;
    const from = pointAt(event, picture);
    const corner = [...root.querySelectorAll(".box i")].indexOf(event.target);
    const within = event.target.closest?.(".box");
    const kind = corner >= 0 ? "resize" : within ? "move" : "draw";
    state.drag = { kind, corner, from, box: state.box };
    frame.setPointerCapture(event.pointerId);
  };
  frame.onpointermove = (event) => {
    if (state.drag) set(dragged(state.drag, pointAt(event, picture)));
  };
  frame.onpointerup = (event) => {
    if (!state.drag) return;
    const box = dragged(state.drag, pointAt(event, picture));
    const before = state.drag.box;
    state.drag = null;
    set(tooSmall(box) ? before : box);
    commit();
  };
  frame.onpointercancel = () => {
    set(state.drag?.box ?? state.box);
    state.drag = null;
  };
  frame.onkeydown = (event) => {
    const change = keyed(event, state.box);
    if (change === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    set(change);
    clearTimeout(state.waiting);
    // A held key is one search.
    state.waiting = setTimeout(commit, 400);
  };
  root.querySelector(".whole").onclick = () => {
    set(null);
    commit();
  };
  return () => clearTimeout(state.waiting);
}

// The box after a key; undefined for keys that mean nothing here.
function keyed(event, box) {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  if (event.key === "Enter") return box ?? [0.25, 0.25, 0.75, 0.75];
  if (!box) return undefined;
  if (event.key === "Escape") return null;
  const [x, y] =
    { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [];
  if (x === undefined) return undefined;
  return event.shiftKey ? resized(box, x * STEP, y * STEP) : moved(box, x * STEP, y * STEP);
}

function dragged({ kind, corner, from, box }, to) {
  if (kind === "move") return moved(box, to[0] - from[0], to[1] - from[1]);
  // A corner is drawn from the one across.
  const [left, top, right, bottom] = box ?? [];
  const start = kind === "draw" ? from : [[right, bottom], [left, bottom], [left, top], [right, top]][corner];
  return [
    Math.min(start[0], to[0]),
    Math.min(start[1], to[1]),
    Math.max(start[0], to[0]),
    Math.max(start[1], to[1]),
  ].map(rounded);
}

function moved([left, top, right, bottom], x, y) {
  const dx = Math.min(1 - right, Math.max(-left, x));
  const dy = Math.min(1 - bottom, Math.max(-top, y));
  return [left + dx, top + dy, right + dx, bottom + dy].map(rounded);
}

function resized([left, top, right, bottom], x, y) {
  const within = (value, from) => Math.min(1, Math.max(from + LEAST, value));
  return [left, top, within(right + x, left), within(bottom + y, top)].map(rounded);
}

function tooSmall(box) {
  return box[2] - box[0] < LEAST || box[3] - box[1] < LEAST;
}

function rounded(fraction) {
  return Math.round(fraction * 1000) / 1000;
}

function pointAt(event, picture) {
  const { left, top, width, height } = picture.getBoundingClientRect();
  const within = (value) => Math.min(1, Math.max(0, value));
  return [within((event.clientX - left) / width), within((event.clientY - top) / height)];
}

// The box lies over the picture, which may be narrower than its frame.
function paint(root, { box }) {
  const drawn = root.querySelector(".box");
  const picture = root.querySelector("img");
  drawn.hidden = !box;
  root.querySelector(".whole").hidden = !box;
  root.querySelector(".hint").textContent = box ? described(box) : HINT;
  if (!box) return;
  const [left, top, right, bottom] = box;
  const { offsetLeft, offsetTop, offsetWidth: width, offsetHeight: height } = picture;
  drawn.style.left = `${offsetLeft + left * width}px`;
  drawn.style.top = `${offsetTop + top * height}px`;
  drawn.style.width = `${(right - left) * width}px`;
  drawn.style.height = `${(bottom - top) * height}px`;
}

function described([left, top, right, bottom]) {
  const percent = (from, to) => `${Math.round(100 * (to - from))} %`;
  return `A part: ${percent(left, right)} × ${percent(top, bottom)} of the photo`;
}
