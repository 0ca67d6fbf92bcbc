// The labelling desk: classes on the left, and either one photo after another or a wall of guesses.
//
// Every action is painted at once as pending and numbered. The list of those not yet stored is this
// component's state: should two follow each other faster than the page runs, the page still gets
// both, applies each number once and answers with the last one; what it stored turns solid. (A
// trigger value would lose one: the later replaces the earlier.)

const states = new WeakMap();

const TYPED_INTO = 'input:not([type="radio"]), textarea, select, [contenteditable]';

// Presses that follow each other faster than this travel together, in milliseconds.
const TOGETHER = 60;

// How soon the page is asked whether it knows more by now, and how seldom at last.
const LOOK_AFTER = 120;
const LOOK_AT_LEAST = 1000;

export default function ({ data, parentElement: root, setStateValue }) {
  const desk = root.querySelector(".desk");
  const s = states.get(desk) ?? firstState(root, desk);
  const before = s.data;
  s.data = data;
  s.set = setStateValue;
  acknowledge(s);
  if (s.generation !== data.generation) {
    s.generation = data.generation;
    restart(s);
  }
  if (data.mode === "queue") refill(s);
  showAll(s);
  lookSoon(s);
  if (!before && !elsewhere()) s.stage.focus({ preventScroll: true });
}

function firstState(root, desk) {
  const s = {
    root,
    desk,
    stage: root.querySelector(".stage"),
    announcer: root.querySelector(".announcer"),
    // Of this page in this window: numbers start anew with it.
    sid: `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`,
    number: 0,
    waiting: [], // actions not yet stored
    labels: new Map(), // what this window said of photos, stored or not
    history: [], // label actions that U takes back, newest last
    queue: [],
    at: 0,
    selected: new Set(),
    skipped: new Set(),
    anchor: null,
    focused: 0,
  };
  states.set(desk, s);
  bindKeys(s);
  bindClasses(s);
  bindWall(s);
  return s;
}

// Number an action, remember it until it is stored, and send it.
function act(s, action) {
  s.pressed = performance.now();
  s.waiting.push({ number: ++s.number, pressed: s.pressed, ...action });
  lookSoon(s);
  clearTimeout(s.sending);
  const since = performance.now() - (s.sent ?? -Infinity);
  if (since >= TOGETHER) send(s);
  else s.sending = setTimeout(() => send(s), TOGETHER - since);
}

function send(s) {
  s.sent = performance.now();
  s.set("actions", { sid: s.sid, list: s.waiting.map(({ pressed, ...action }) => action) });
}

// Suggestions that know of the latest labels come from the background: ask for them, ever less
// often, until they are there. A press asks as well, so the asking waits for a pause.
function lookSoon(s, after = LOOK_AFTER) {
  clearTimeout(s.looking);
  s.desk.dataset.fresh = s.data.fresh;
  if (s.data.fresh || (s.data.coming && s.data.known === null)) return;
  s.looking = setTimeout(() => {
    if (!s.desk.isConnected) return;
    s.looks = (s.looks ?? 0) + 1;
    s.set("looked", s.looks);
    lookSoon(s, Math.min(LOOK_AT_LEAST, 1.5 * after));
  }, after);
}

// What the page has stored leaves the list; what it refused is said and painted as it was.
function acknowledge(s) {
  const { stored } = s.data;
  if (!stored || stored.sid !== s.sid) return;
  const done = s.waiting.filter((action) => action.number <= stored.number);
  s.waiting = s.waiting.filter((action) => action.number > stored.number);
  for (const action of done) {
    s.desk.dataset.lastMs = (performance.now() - action.pressed).toFixed(0);
    const answer = stored.answers[action.number];
    if (answer?.refused) {
      for (const id of action.ids ?? []) s.labels.delete(id);
      s.history = s.history.filter(({ number }) => number !== action.number);
    }
    if (answer) tell(s, answer.text, answer.refused);
  }
  s.desk.dataset.stored = stored.number;
}

// What is done to a class is taken back by U as well.
function actOnClass(s, action) {
  act(s, action);
  s.history.push({ number: s.number, ids: [], seen: {} });
}

// Label photos, each where it is; `seen` tells what the person saw, so that another's is noticed.
function label(s, ids, name, source) {
  if (!ids.length) return;
  const seen = Object.fromEntries(ids.map((id) => [id, labelOf(s, id)]));
  for (const id of ids) s.labels.set(id, name);
  act(s, { does: "label", ids, name, seen, source });
  s.history.push({ number: s.number, ids, seen });
  const what = ids.length === 1 ? "" : `${ids.length} photos: `;
  say(s, `${what}${name}`);
}

function skip(s, ids) {
  for (const id of ids) s.skipped.add(id);
  act(s, { does: "skip", ids });
  say(s, "Skipped");
}

function undo(s) {
  const last = s.history.pop();
  for (const id of last?.ids ?? []) {
    s.labels.set(id, last.seen[id]);
    s.skipped.delete(id);
  }
  if (last && s.data.mode === "queue") {
    const at = s.queue.findIndex((photo) => photo.id === last.ids[0]);
    if (at >= 0) s.at = at;
  }
  act(s, { does: "undo" });
  say(s, "Took back");
}

// What a photo is labelled, as this window knows it; null where it is not.
function labelOf(s, id) {
  if (s.labels.has(id)) return s.labels.get(id);
  return s.byId?.get(id)?.label ?? null;
}

function isWaiting(s, id) {
  return s.waiting.some((action) => action.ids?.includes(id));
}

function restart(s) {
  s.selected.clear();
  s.anchor = null;
  s.focused = 0;
  s.queue = [];
  s.at = 0;
}

function showAll(s) {
  s.byId = new Map([...s.queue, ...s.data.photos].map((photo) => [photo.id, photo]));
  s.desk.dataset.mode = s.data.mode;
  s.desk.classList.toggle("read-only", s.data.readOnly);
  showComing(s);
  showClasses(s);
  if (s.data.mode === "queue") showQueue(s);
  else showWall(s);
}

// What is said of better suggestions that are on their way, or do not come.
function showComing(s) {
  const line = s.root.querySelector(".coming");
  const { coming, known } = s.data;
  line.hidden = !coming;
  line.querySelector("p").textContent = coming;
  line.querySelector("progress").hidden = known === null;
  line.querySelector("progress").value = known ?? 0;
}

function bindKeys(s) {
  const press = (event) => {
    if (event.defaultPrevented || event.altKey) return;
    const typing = event.composedPath()[0]?.closest?.(TYPED_INTO);
    if (typing) return;
    const handled = event.ctrlKey || event.metaKey ? withControl(s, event) : plain(s, event);
    if (!handled) return;
    event.preventDefault();
    event.stopPropagation();
    showAll(s);
  };
  s.desk.onkeydown = press;
  // Where nothing has the focus, nobody is typing: keys still reach the desk.
  // In the capture phase, since a button that was clicked keeps Enter to itself.
  const anywhere = (event) => {
    if (s.desk.isConnected && !elsewhere()) press(event);
  };
  document.addEventListener("keydown", anywhere, { capture: true });
}

// Whether keys are meant for something else. What was only clicked, such as a choice above the
// wall, does not keep them.
function elsewhere() {
  const { activeElement: active } = document;
  if (document.querySelector('[role="dialog"]') !== null) return true;
  const passive = !active || active === document.body || active.tagName === "SECTION";
  return !passive && active !== clicked;
}

// What a click has given the focus, until it moves on.
let clicked = null;
const remember = () => setTimeout(() => (clicked = document.activeElement));
document.addEventListener("click", remember, { capture: true });

function withControl(s, event) {
  if (s.data.readOnly) return false;
  if (event.key === "z") undo(s);
  else if (event.key === "a" && s.data.mode === "grid") selectAll(s);
  else return false;
  return true;
}

function plain(s, event) {
  if (s.data.readOnly) return lookKey(s, event);
  const { key } = event;
  const named = s.data.classes.find((entry) => entry.key === key);
  if (named) name(s, named.name);
  else if (key === "u" || key === "U") undo(s);
  else if (key === "n" || key === "N") s.root.querySelector(".add input").focus();
  else if (s.data.mode === "queue") return queueKey(s, key);
  else return wallKey(s, event);
  return true;
}

// A class was pressed or clicked: it goes to the photo in front, or to what is selected.
function name(s, className) {
  if (s.data.mode === "queue") nameInQueue(s, className);
  else nameOnWall(s, className);
}

function tell(s, text, bad = false) {
  const note = element("div", bad ? "note bad" : "note");
  note.textContent = text;
  const notes = s.root.querySelector(".notes");
  notes.append(note);
  while (notes.children.length > 3) notes.firstChild.remove();
  setTimeout(() => note.remove(), 9000);
}

function say(s, text) {
  s.announcer.textContent = text;
}
