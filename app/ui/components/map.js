// The map of the gallery: a dot a photo, or small pictures from near by.
//
// Dragging moves the map, or with Shift or the Select tool draws an outline; what lies in it is
// selected. The wheel zooms. A click opens the photo under the pointer, which it shows when it
// rests. With the keyboard: arrows move, + and - zoom, 0 shows all, Enter selects what lies in the
// ring in the middle, O opens the photo nearest to the middle, Escape ends the selection.
//
// Only the outline is sent: which photos lie in it the page works out itself, for a hundred
// thousand ids would be a long message.

const states = new WeakMap();

// Cells a side of the grid in which the photo under the pointer is looked up.
const CELLS = 160;

// The ring of the keyboard, and how near the pointer must be to a photo, in CSS pixels.
const RING = 90;
const NEAR = 9;

export default function ({ data, parentElement: root, setStateValue, setTriggerValue }) {
  const map = root.querySelector(".map");
  const s = states.get(map) ?? firstState(root, map);
  s.send = setStateValue;
  s.ask = setTriggerValue;
  s.label = data.label;
  take(s, data);
  theme(s, map);
  showLegend(s);
  s.over.setAttribute("aria-label", `${data.label}. ${data.help}`);
  if (s.cleared !== data.cleared) {
    s.cleared = data.cleared;
    s.outline = s.chosen = null;
  }
  s.draw();
}

function firstState(root, map) {
  const s = {
    root,
    map,
    under: root.querySelector(".under"),
    over: root.querySelector(".over"),
    tip: root.querySelector(".tip"),
    legend: root.querySelector(".legend"),
    hidden: new Set(),
    pictures: new Map(),
    zoom: 1,
    middle: [0, 0],
    tool: "move",
    outline: null,
    chosen: null,
    hovered: -1,
  };
  states.set(map, s);
  let asked = false;
  s.draw = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      paint(s);
    });
  };
  new ResizeObserver(s.draw).observe(map);
  bindPointer(s);
  bindKeys(s);
  return s;
}

// What the page sent: columns of numbers, and what its groups are called.
function take(s, data) {
  s.names = data.groups;
  s.group = data.points.getChild("group").toArray();
  if (s.generation === data.generation) return;
  const first = s.generation === undefined;
  s.generation = data.generation;
  for (const name of ["x", "y", "id"]) s[name] = data.points.getChild(name).toArray();
  s.count = s.x.length;
  s.cells = cellsOf(s);
  s.reach = [s.x, s.y].map((column) => column.reduce((far, v) => Math.max(far, Math.abs(v)), 0.05));
  s.hovered = -1;
  if (!first && s.outline) choose(s, null);
}

function theme(s, map) {
  const style = getComputedStyle(map);
  s.backdrop = pixelOf(style.backgroundColor);
  s.ink = style.color;
  s.accent = style.getPropertyValue("--st-primary-color").trim() || s.ink;
  s.colours = s.names.map((group) => pixelOf(group.colour));
}

// Where the plane lies on the screen.
function viewOf(s) {
  const [width, height] = [s.map.clientWidth, s.map.clientHeight];
  const whole = Math.min(width / s.reach[0], height / s.reach[1]) / 2.15;
  const scale = whole * s.zoom;
  const dot = s.count > 30000 ? 1.1 : s.count > 8000 ? 1.7 : 2.8;
  return {
    scale,
    left: width / 2 - s.middle[0] * scale,
    top: height / 2 + s.middle[1] * scale,
    radius: Math.min(6, dot * s.zoom ** 0.3) * (devicePixelRatio || 1),
  };
}

function paint(s) {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [s.map.clientWidth, s.map.clientHeight];
  if (!width || !height) return;
  for (const canvas of [s.under, s.over]) {
    if (canvas.width === Math.round(width * ratio) && canvas.height === Math.round(height * ratio)) {
      continue;
    }
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  s.view = viewOf(s);
  const began = performance.now();
  paintPoints(s.under, s, s.view);
  paintPictures(s.under, s, s.view, s.draw);
  s.map.dataset.paintMs = (performance.now() - began).toFixed(1);
  paintOver(s, ratio, width, height);
}

// The outline, the ring of the keyboard, and a mark around the photo under the pointer.
function paintOver(s, ratio, width, height) {
  const context = s.over.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.lineWidth = 2;
  context.strokeStyle = s.accent;
  const outline = s.drawing ?? s.outline;
  if (outline?.length > 1) {
    context.beginPath();
    for (const place of outline) context.lineTo(...onScreen(s, place));
    context.closePath();
    context.globalAlpha = 0.1;
    context.fillStyle = s.accent;
    context.fill();
    context.globalAlpha = 1;
    context.stroke();
  }
  if (s.ring) {
    context.setLineDash([7, 5]);
    context.beginPath();
    context.arc(width / 2, height / 2, RING, 0, 7);
    context.stroke();
    context.setLineDash([]);
  }
  if (s.hovered >= 0) {
    context.strokeStyle = s.ink;
    context.beginPath();
    context.arc(...onScreen(s, [s.x[s.hovered], s.y[s.hovered]]), NEAR, 0, 7);
    context.stroke();
  }
}

function onScreen(s, [x, y]) {
  return [x * s.view.scale + s.view.left, s.view.top - y * s.view.scale];
}

function onPlane(s, [x, y]) {
  return [(x - s.view.left) / s.view.scale, (s.view.top - y) / s.view.scale];
}

// Zoom by a factor; the place under `at` stays where it is.
function zoomAt(s, factor, at) {
  // Nearer than this, a walk would be lost between two photos.
  const most = Math.max(4, Math.sqrt(s.count) / 2);
  const to = Math.max(0.7, Math.min(most, s.zoom * factor));
  const [x, y] = onPlane(s, at);
  const share = s.zoom / to;
  s.middle = [x + (s.middle[0] - x) * share, y + (s.middle[1] - y) * share];
  s.zoom = to;
  s.draw();
}

function fit(s) {
  s.zoom = 1;
  s.middle = [0, 0];
  s.draw();
}

// Select what lies in an outline on the plane; null ends the selection.
function choose(s, outline) {
  s.outline = outline;
  s.chosen = null;
  let count = 0;
  if (outline) {
    s.chosen = new Uint8Array(s.count);
    for (let i = 0; i < s.count; i++) {
      if (!s.hidden.has(s.group[i]) && within(outline, s.x[i], s.y[i])) {
        s.chosen[i] = 1;
        count++;
      }
    }
    if (!count) s.outline = s.chosen = null;
  }
  s.root.querySelector(".announcer").textContent = `${count} photos selected`;
  const shown = s.names.map((_, at) => at).filter((at) => !s.hidden.has(at));
  const { outline: corners, generation, cleared } = s;
  s.send("outline", corners && { corners, shown, generation, cleared });
  s.draw();
}

// Even-odd rule.
function within(corners, x, y) {
  let inside = false;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i++) {
    const [ax, ay] = corners[i];
    const [bx, by] = corners[j];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}

// Photos by the cell of the plane that they lie in.
function cellsOf(s) {
  const cells = new Map();
  for (let i = 0; i < s.count; i++) {
    const key = cellOf(s.x[i]) * CELLS + cellOf(s.y[i]);
    const list = cells.get(key);
    if (list) list.push(i);
    else cells.set(key, [i]);
  }
  return cells;
}

function cellOf(value) {
  return Math.max(0, Math.min(CELLS - 1, Math.floor(((value + 1) / 2) * CELLS)));
}

// The photo nearest to a place on the screen, within `reach` CSS pixels; -1 where there is none.
function nearest(s, at, reach) {
  const [x, y] = onPlane(s, at);
  const far = reach / s.view.scale;
  let best = -1;
  let least = far * far;
  for (let column = cellOf(x - far); column <= cellOf(x + far); column++) {
    for (let row = cellOf(y - far); row <= cellOf(y + far); row++) {
      for (const i of s.cells.get(column * CELLS + row) ?? []) {
        const distance = (s.x[i] - x) ** 2 + (s.y[i] - y) ** 2;
        if (distance < least && !s.hidden.has(s.group[i])) [best, least] = [i, distance];
      }
    }
  }
  return best;
}
