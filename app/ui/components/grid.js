// The photo grid. Streamlit calls the default export with the same DOM on every change of data,
// so it brings the tiles up to date and never builds them twice.
//
// Focus: one tile at a time is in the tab order (roving tabindex); arrows, Home and End move it.
// Enter or a click does the grid's own action, F or the tile's button finds similar photos.

const states = new WeakMap();

export default function ({ data, parentElement: root, setTriggerValue }) {
  const wall = root.querySelector(".wall");
  const state = states.get(wall) ?? firstState(wall);
  state.tiles = data.tiles;
  wall.setAttribute("aria-label", data.label);
  wall.style.setProperty("--row", `${data.row}px`);

  while (wall.children.length > data.tiles.length) wall.lastChild.remove();
  while (wall.children.length < data.tiles.length) wall.append(newTile());
  data.tiles.forEach((tile, index) => show(wall.children[index], tile, index, data));

  if (state.generation !== data.generation) {
    if (state.generation !== null) {
      scrollToTop(root);
      root.querySelector(".announcer").textContent = `${data.label}: ${data.tiles.length} photos`;
    }
    state.generation = data.generation;
    state.current = 0;
  }
  rove(wall, state.current, false);

  const choose = (kind, index) => {
    rove(wall, (state.current = index), false);
    if (kind === "open") refocusAfterDialog(state, wall);
    setTriggerValue(kind, state.tiles[index].id);
  };
  wall.onclick = (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const index = indexOf(button);
    choose(button.classList.contains("similar") ? "similar" : data.action, index);
  };
  wall.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !wall.children.length) return;
    const to = destination(wall, state.current, event.key);
    if (to !== null) rove(wall, (state.current = to), true);
    else if (event.key === "f" || event.key === "F") choose("similar", state.current);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
}

function firstState(wall) {
  const state = { current: 0, generation: null };
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
  const open = element("button", "open");
  open.type = "button";
  const picture = element("img");
  picture.loading = "lazy";
  picture.decoding = "async";
  picture.draggable = false;
  picture.onload = () => tile.classList.add("loaded");
  picture.onerror = () => tile.classList.add("missing");
  const gone = element("span", "gone");
  gone.textContent = "This photo is not on the disk any more";
  open.append(picture, gone, element("span", "score"));
  const similar = element("button", "similar");
  similar.type = "button";
  similar.textContent = "Find similar";
  tile.append(open, similar);
  return tile;
}

function show(tile, photo, index, data) {
  const [open, similar] = tile.children;
  const [picture, , score] = open.children;
  tile.dataset.index = index;
  tile.dataset.id = photo.id;
  tile.style.setProperty("--aspect", photo.aspect);
  if (picture.getAttribute("src") !== photo.src) {
    tile.classList.remove("loaded", "missing");
    picture.src = photo.src;
  }
  picture.alt = photo.name;
  const scored = photo.score !== null;
  score.textContent = scored ? photo.score.toFixed(2) : "";
  score.hidden = !scored;
  open.title = scored ? `${photo.name}\nscore ${photo.score.toFixed(4)}` : photo.name;
  const doing = data.action === "open" ? "Open" : "Find photos similar to";
  open.setAttribute("aria-label", `${doing} ${photo.name}` + (scored ? `, score ${score.textContent}` : ""));
  similar.setAttribute("aria-label", `Find photos similar to ${photo.name}`);
  similar.hidden = data.action === "similar";
}

// Put tile `index` in the tab order, alone, and perhaps the focus on it.
function rove(wall, index, focus) {
  [...wall.children].forEach((tile, at) => {
    for (const button of tile.children) button.tabIndex = at === index ? 0 : -1;
  });
  if (focus) wall.children[index]?.firstChild.focus();
}

// The tile that a key leads to from tile `from`; null for other keys.
function destination(wall, from, key) {
  const last = wall.children.length - 1;
  if (key === "ArrowRight") return Math.min(last, from + 1);
  if (key === "ArrowLeft") return Math.max(0, from - 1);
  if (key === "Home") return 0;
  if (key === "End") return last;
  if (key === "ArrowDown") return nextRow(wall, from, 1);
  if (key === "ArrowUp") return nextRow(wall, from, -1);
  return null;
}

// Rows hold different numbers of photos: the nearest centre in the next row counts.
function nextRow(wall, from, direction) {
  const boxes = [...wall.children].map((tile) => tile.getBoundingClientRect());
  const centre = boxes[from].left + boxes[from].width / 2;
  const beyond = boxes
    .map((box, index) => ({ index, top: box.top, off: Math.abs(box.left + box.width / 2 - centre) }))
    .filter(({ top }) => (top - boxes[from].top) * direction > 1);
  if (!beyond.length) return from;
  const tops = beyond.map(({ top }) => top);
  const row = direction > 0 ? Math.min(...tops) : Math.max(...tops);
  const inRow = beyond.filter(({ top }) => Math.abs(top - row) <= 1);
  return inRow.reduce((best, tile) => (tile.off < best.off ? tile : best)).index;
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

function indexOf(node) {
  return Number(node.closest(".tile").dataset.index);
}

// Text goes in as text, never as markup: names of files are not ours.
function element(name, className = "") {
  const made = document.createElement(name);
  made.className = className;
  return made;
}
