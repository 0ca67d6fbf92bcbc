// The photo grid. Streamlit calls the default export with the same DOM on every change of data,
// so it brings the tiles up to date and never builds them twice.
//
// Focus: one tile at a time is in the tab order (roving tabindex); arrows, Home and End move it.
// Enter or a click does the grid's own action, F or the tile's button finds similar photos.
// Where photos can be selected: a click on the circle, or with Ctrl; Shift takes all between;
// Space, Ctrl-A and Escape. While something is selected, a plain click selects as well.
// Where photos can be examples: the tile's plus and minus, or those keys.

const states = new WeakMap();

// A click that leads to another search is not followed by a second one for so many milliseconds:
// that one would carry the address from before, and bring the page back there.
const PATIENCE = 1500;

// What the buttons of a tile say, by what they do.
const WORDS = {
  select: ["", "Select"],
  similar: ["Find similar", "Find photos similar to"],
  like: ["+", "More like"],
  unlike: ["−", "Less like"],
};

export default function ({ data, parentElement: root, setStateValue, setTriggerValue }) {
  const wall = root.querySelector(".wall");
  const state = states.get(wall) ?? firstState(wall);
  state.tiles = data.tiles;
  state.send = () => {
    clearTimeout(state.sending);
    // A sweep with Shift or a held key is one message.
    state.sending = setTimeout(() => setStateValue("selection", chosen(state)), 80);
  };
  wall.setAttribute("aria-label", data.label);
  wall.style.setProperty("--row", `${data.row}px`);

  while (wall.children.length > data.tiles.length) wall.lastChild.remove();
  while (wall.children.length < data.tiles.length) wall.append(newTile());
  data.tiles.forEach((tile, index) => show(wall.children[index], tile, index, data));

  if (state.generation !== data.generation) {
    if (state.generation !== null) {
      scrollToTop(root);
      say(root, `${data.label}: ${data.tiles.length} photos`);
    }
    state.generation = data.generation;
    state.left = -Infinity;
    state.current = 0;
    forget(state);
  }
  if (state.cleared !== data.cleared) {
    state.cleared = data.cleared;
    forget(state);
  }
  rove(wall, state.current, false);
  paint(root, state, data);

  const choose = (kind, index) => {
    if (kind === "similar") {
      if (performance.now() - state.left < PATIENCE) return;
      state.left = performance.now();
    }
    rove(wall, (state.current = index), false);
    if (kind === "open") refocusAfterDialog(state, wall);
    setTriggerValue(kind, state.tiles[index].id);
  };
  const select = (change) => {
    change();
    paint(root, state, data);
    say(root, `${state.selected.size} selected`);
    state.send();
  };
  wall.onclick = (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const index = indexOf(button);
    const does = button.dataset.does;
    if (data.selectable && (does === "select" || (does === "open" && selects(event, state, data)))) {
      rove(wall, (state.current = index), false);
      select(() => toggle(state, index, event.shiftKey));
    } else choose(does === "open" ? data.action : does, index);
  };
  wall.onkeydown = (event) => {
    if (event.altKey || !wall.children.length) return;
    const handled = event.ctrlKey || event.metaKey ? withControl(event) : plain(event);
    if (!handled) return;
    event.preventDefault();
    event.stopPropagation();
  };
  // Letting go of Space would click the button that has the focus.
  wall.onkeyup = (event) => {
    if (event.key === " " && data.selectable) event.preventDefault();
  };
  const all = () => select(() => state.tiles.forEach((tile) => state.selected.add(tile.id)));
  const none = () => select(() => forget(state));
  root.querySelector(".all").onclick = () => (allSelected(state) ? none() : all());

  const withControl = (event) => {
    if (event.key !== "a" || !data.selectable) return false;
    all();
    return true;
  };
  const plain = (event) => {
    const { key } = event;
    const to = destination(wall, state.current, key);
    if (to !== null) rove(wall, (state.current = to), true);
    else if (key === "f" || key === "F") choose("similar", state.current);
    else if (data.examples && (key === "+" || key === "=")) choose("like", state.current);
    else if (data.examples && key === "-") choose("unlike", state.current);
    else if (data.selectable && key === " ") {
      select(() => toggle(state, state.current, event.shiftKey));
    } else if (key === "Escape" && state.selected.size) none();
    else return false;
    return true;
  };
}

function firstState(wall) {
  const state = {
    current: 0,
    generation: null,
    left: -Infinity, // when a click last led to another search
    selected: new Set(),
    anchor: null,
    cleared: null,
  };
  states.set(wall, state);
  // There is no `onfocusin` property to assign, so this one is added, once.
  wall.addEventListener("focusin", (event) => {
    const tile = event.target.closest(".tile");
    if (tile) rove(wall, (state.current = indexOf(tile)), false);
  });
  return state;
}

function newTile() {
  const tile = element("div", "tile");
  tile.setAttribute("role", "listitem");
  const open = button("open");
  const picture = newPicture(tile);
  const gone = element("span", "gone");
  gone.textContent = "This photo is not on the disk any more";
  const chips = element("span", "chips");
  chips.append(element("span", "score"));
  open.append(picture, gone, chips);
  tile.append(open, ...Object.keys(WORDS).map(button));
  return tile;
}

function show(tile, photo, index, data) {
  const [open, ...others] = tile.children;
  const [picture, , chips] = open.children;
  const score = chips.firstChild;
  showPicture(tile, picture, photo, index);
  picture.alt = photo.name;
  const scored = photo.score !== null;
  score.textContent = scored ? photo.score.toFixed(2) : "";
  score.hidden = !scored;
  showNotes(chips, photo.notes);
  open.title = scored ? `${photo.name}\nscore ${photo.score.toFixed(4)}` : photo.name;
  const doing = data.action === "open" ? "Open" : "Find photos similar to";
  const spoken = [photo.name, ...(scored ? [`score ${score.textContent}`] : []), ...photo.notes];
  open.setAttribute("aria-label", `${doing} ${spoken.join(", ")}`);
  for (const other of others) {
    const does = other.dataset.does;
    other.setAttribute("aria-label", `${WORDS[does][1]} ${photo.name}`);
    other.title = does === "similar" ? "" : `${WORDS[does][1]} this photo`;
    if (does === "similar") other.hidden = data.action === "similar";
    else other.hidden = !(does === "select" ? data.selectable : data.examples);
  }
}

// Chips after the score; text goes in as text.
function showNotes(chips, notes) {
  while (chips.children.length > 1 + notes.length) chips.lastChild.remove();
  while (chips.children.length < 1 + notes.length) chips.append(element("span", "note"));
  notes.forEach((note, at) => (chips.children[at + 1].textContent = note));
}

// Whether a click on the photo itself selects; Enter, which clicks without a pointer, opens.
function selects(event, state, data) {
  if (event.detail === 0) return data.action === "select";
  const held = event.shiftKey || event.ctrlKey || event.metaKey;
  return held || state.selected.size > 0 || data.action === "select";
}

function toggle(state, index, range) {
  const { id } = state.tiles[index];
  if (range && state.anchor !== null) {
    const [from, to] = [state.anchor, index].sort((a, b) => a - b);
    state.tiles.slice(from, to + 1).forEach((tile) => state.selected.add(tile.id));
    return;
  }
  if (!state.selected.delete(id)) state.selected.add(id);
  state.anchor = index;
}

// With the list it was made in: the page knows then whether it still holds.
function chosen({ tiles, selected, generation, cleared }) {
  const ids = tiles.map((tile) => tile.id).filter((id) => selected.has(id));
  return { generation, cleared, ids };
}

function forget(state) {
  state.selected.clear();
  state.anchor = null;
}

function paint(root, state, data) {
  const wall = root.querySelector(".wall");
  [...wall.children].forEach((tile, at) => {
    const on = state.selected.has(state.tiles[at].id);
    tile.classList.toggle("selected", on);
    tile.querySelector(".select").setAttribute("aria-pressed", on);
  });
  wall.classList.toggle("selecting", state.selected.size > 0);
  root.querySelector(".bar").hidden = !data.selectable || !state.tiles.length;
  root.querySelector(".all").textContent = allSelected(state) ? "Select none" : "Select all";
}

function allSelected({ selected, tiles }) {
  return selected.size === tiles.length;
}

// Put tile `index` in the tab order, alone, and perhaps the focus on it.
function rove(wall, index, focus) {
  [...wall.children].forEach((tile, at) => {
    for (const child of tile.children) child.tabIndex = at === index ? 0 : -1;
  });
  if (focus) wall.children[index]?.firstChild.focus();
}

// A dialog cannot give the focus back into a shadow root, so it is fetched back here.
function refocusAfterDialog(state, wall) {
  state.watcher?.disconnect();
  const { generation } = state;
  let seen = false;
  state.watcher = new MutationObserver(() => {
    const open = document.querySelector('[role="dialog"]') !== null;
    if (seen && !open) {
      state.watcher.disconnect();
      if (state.generation === generation) wall.children[state.current]?.firstChild.focus();
    }
    seen = open;
  });
  state.watcher.observe(document.body, { childList: true, subtree: true });
}

// New results are read from their beginning.
function scrollToTop(root) {
  const host = root.host ?? root;
  host.closest('[data-testid="stMain"]')?.scrollTo({ top: 0 });
}

function say(root, text) {
  root.querySelector(".announcer").textContent = text;
}

function indexOf(node) {
  return Number(node.closest(".tile").dataset.index);
}

function button(does) {
  const made = element("button", does);
  made.dataset.does = does;
  made.textContent = WORDS[does]?.[0] ?? "";
  return made;
}
